/* collection.c - the base of Deque and Index: an object with a cache. */
#include "collection.h"

typedef struct {
    PyObject_HEAD
    PyObject *cache;
} CollectionObject;

PyObject *collection_cache(PyObject *self)
{
    PyObject *cache = ((CollectionObject *)self)->cache;

    if (!cache)
        PyErr_SetString(PyExc_AttributeError, "_cache");
    return cache;
}

int collection_begin(struct call *call, PyObject *self)
{
    PyObject *cache = collection_cache(self);

    memset(call, 0, sizeof *call);
    return cache ? call_begin(call, cache) : -1;
}

PyObject *collection_retry(PyObject *self, const char *method, PyObject *const *args,
                           Py_ssize_t nargs)
{
    PyObject *stack[8] = {NULL, collection_cache(self)}; /* the first is the callee's to use */
    PyObject *name = PyUnicode_InternFromString(method), *names = NULL, *result = NULL;

    if (stack[1] && name)
        names = Py_BuildValue("(s)", "retry");
    if (names) {
        for (Py_ssize_t i = 0; i < nargs; i++)
            stack[2 + i] = args[i];
        stack[2 + nargs] = Py_True;
        result = PyObject_VectorcallMethod(
            name, stack + 1, (size_t)(nargs + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    }
    Py_XDECREF(names);
    Py_XDECREF(name);
    return result;
}

static PyObject *get_cache(PyObject *self, void *unused)
{
    PyObject *cache = collection_cache(self);

    (void)unused;
    return cache ? Py_NewRef(cache) : NULL;
}

static int set_cache(PyObject *self, PyObject *cache, void *unused)
{
    PyObject *old = ((CollectionObject *)self)->cache;

    (void)unused;
    if (!cache || !cache_check(cache)) {
        PyErr_SetString(PyExc_TypeError, "_cache is to be a Cache");
        return -1;
    }
    ((CollectionObject *)self)->cache = Py_NewRef(cache);
    Py_XDECREF(old);
    return 0;
}

static Py_ssize_t length(PyObject *self)
{
    PyObject *cache = collection_cache(self);

    return cache ? whole_length(cache) : -1;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((CollectionObject *)self)->cache);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int clear(PyObject *self)
{
    Py_CLEAR(((CollectionObject *)self)->cache);
    return 0;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    (void)clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyGetSetDef getset[] = {
    {"_cache", get_cache, set_cache, "The Cache that the items are in.", NULL},
    {NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_traverse, (void *)traverse}, {Py_tp_clear, (void *)clear},
    {Py_tp_dealloc, (void *)dealloc},   {Py_tp_getset, getset},
    {Py_mp_length, (void *)length},     {0, NULL},
};

PyType_Spec collection_spec = {
    .name = "diskcache._core.Collection",
    .basicsize = sizeof(CollectionObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
