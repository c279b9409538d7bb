/* reader.h - reading pickles without running what they say.
 *
 * A pickle is a program for a machine with a stack. This machine knows the instructions that make
 * plain data; a name in the pickle stands for what `find` has handed out for it, never for an
 * attribute that it looks up, and only such names are called. What can be done to an object depends
 * on how it came about (enum origin), so that no shared object is changed. */
#ifndef READER_H
#define READER_H

#include "core.h"

/* PickleReader(find, builders): find(module, name) hands out (object, call): what the name stands
 * for, and what a call of it calls, or None if it may not be called; Ellipsis for getattr(), whose
 * call is one more name, "Class.attribute", for find() to decide upon. builders: by type, what is
 * done with (object, state) instead of its __setstate__; the result takes the object's place. */
extern PyType_Spec reader_spec;

/* The object of a pickle. The memory need not outlive the call. */
PyObject *reader_load(PyObject *reader, const char *data, size_t size);

#endif
