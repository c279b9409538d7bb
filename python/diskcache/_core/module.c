/* module.c - diskcache._core: what it takes from Python, and what it gives. */
#include "collection.h"
#include "reader.h"
#include "recipes.h"
#include "sealed.h"

struct state *module_state(PyObject *module)
{
    return PyModule_GetState(module);
}

/* ---- what it takes ---- */

static int from_module(const char *module_name, const char *const *names, PyObject **const *ret)
{
    PyObject *module = PyImport_ImportModule(module_name);

    for (int i = 0; module && names[i]; i++) {
        *ret[i] = PyObject_GetAttrString(module, names[i]);
        if (!*ret[i])
            Py_CLEAR(module);
    }
    Py_XDECREF(module);
    return module ? 0 : -1;
}

static int take_imports(struct state *s)
{
    static const char *const sqlite[] = {
        "Error", "OperationalError", "DatabaseError",
        PY_VERSION_HEX < 0x030B0000 ? "InterfaceError" : "ProgrammingError", NULL};
    static const char *const pickle[] = {"dumps", "loads", "UnpicklingError", NULL};
    static const char *const io[] = {"FileIO", "BufferedReader", NULL};

    if (from_module("sqlite3", sqlite,
                    (PyObject * *const[]){&s->sqlite_error, &s->operational_error,
                                          &s->database_error, &s->unsupported}) < 0 ||
        from_module("pickle", pickle,
                    (PyObject * *const[]){&s->dumps, &s->loads, &s->unpickling_error}) < 0)
        return -1;
    return from_module("io", io, (PyObject * *const[]){&s->fileio, &s->buffered_reader});
}

static int take_names(struct state *s)
{
    const struct {
        PyObject **name;
        const char *text;
    } names[] = {
        {&s->s_protocol, "pickle_protocol"},
        {&s->s_put, "put"},
        {&s->s_get, "get"},
        {&s->s_store, "store"},
        {&s->s_fetch, "fetch"},
        {&s->s_remove, "remove"},
        {&s->s_aliases, "aliases"},
        {&s->s_total_seconds, "total_seconds"},
        {&s->s_name, "name"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *names[i].name = PyUnicode_InternFromString(names[i].text);
        if (!*names[i].name)
            return -1;
    }
    return 0;
}

/* ---- what it gives ---- */

static PyTypeObject *add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base)
{
    PyObject *bases = base ? PyTuple_Pack(1, base) : NULL;
    PyObject *type = base && !bases ? NULL : PyType_FromModuleAndSpec(module, spec, bases);

    Py_XDECREF(bases);

    if (type && PyModule_AddType(module, (PyTypeObject *)type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

/* A type has one table of methods; ours are in several files. */
static int add_methods(PyTypeObject *type, PyMethodDef *methods)
{
    for (; methods->ml_name; methods++) {
        PyObject *method = PyDescr_NewMethod(type, methods);
        int rc = method ? PyObject_SetAttrString((PyObject *)type, methods->ml_name, method) : -1;

        Py_XDECREF(method);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Methods of the type that only Cache takes over, and FanoutCache does not. */
static int add_queue_methods(PyObject *module, PyTypeObject *type)
{
    for (PyMethodDef *method = queue_methods; method->ml_name; method++) {
        PyObject *object = PyDescr_NewMethod(type, method);

        if (!object || PyModule_AddObject(module, method->ml_name, object) < 0) {
            Py_XDECREF(object);
            return -1;
        }
    }
    return 0;
}

/* The module keeps them: nothing in C asks for them. */
static int add_kin(PyObject *module)
{
    PyTypeObject *collection = add_type(module, &collection_spec, NULL);
    PyTypeObject *deque = collection ? add_type(module, &deque_spec, collection) : NULL;
    PyTypeObject *index = deque ? add_type(module, &index_spec, collection) : NULL;
    PyTypeObject *lock = index ? add_type(module, &lock_spec, NULL) : NULL;
    int rc = lock ? 0 : -1;

    Py_XDECREF(collection);
    Py_XDECREF(deque);
    Py_XDECREF(index);
    Py_XDECREF(lock);
    return rc;
}

static int add_types(PyObject *module, struct state *s)
{
    PyMethodDef *const tables[] = {operation_methods, iterate_methods, bulk_methods, whole_methods,
                                   NULL};

    s->cache_type = add_type(module, &cache_spec, NULL);
    s->iter_type = add_type(module, &iter_spec, NULL);
    s->txn_type = add_type(module, &txn_spec, NULL);
    s->stats_type = PyStructSequence_NewType(&stats_desc);
    s->reader_type = add_type(module, &reader_spec, NULL);
    s->seal_type = add_type(module, &seal_spec, NULL);
    if (!s->cache_type || !s->iter_type || !s->txn_type || !s->stats_type || !s->reader_type ||
        !s->seal_type)
        return -1;
    for (int i = 0; tables[i]; i++)
        if (add_methods(s->cache_type, tables[i]) < 0)
            return -1;
    return add_queue_methods(module, s->cache_type) < 0 ? -1 : add_kin(module);
}

static int add_exceptions(PyObject *module, struct state *s)
{
    s->timeout = PyErr_NewExceptionWithDoc("diskcache.core.Timeout",
                                           "Waiting for the cache took longer than its timeout.",
                                           NULL, NULL);
    s->unsafe = PyErr_NewExceptionWithDoc(
        "diskcache.core.UnsafeDirectoryError",
        "A pickle was not loaded, since others may write to the directory that it lies in.",
        s->unpickling_error, NULL);
    if (!s->timeout || !s->unsafe ||
        PyModule_AddObject(module, "Timeout", Py_NewRef(s->timeout)) < 0)
        return -1;
    return PyModule_AddObject(module, "UnsafeDirectoryError", Py_NewRef(s->unsafe));
}

static int execute(PyObject *module)
{
    struct state *s = module_state(module);

    if (take_imports(s) < 0 || take_names(s) < 0 || add_types(module, s) < 0 ||
        add_exceptions(module, s) < 0)
        return -1;
    s->transactions = PyContextVar_New("diskcache.transactions", NULL);
    if (!s->transactions)
        return -1;
    if (PyModule_AddFunctions(module, recipe_functions) < 0 ||
        PyModule_AddIntConstant(module, "LEAVE_FILES", DCACHE_LEAVE_FILES) < 0 ||
        PyModule_AddIntConstant(module, "REBUILD", OPEN_REBUILD) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "version", dcache_version());
}

static PyObject *setting_known(PyObject *module, PyObject *name)
{
    const char *utf8 = PyUnicode_AsUTF8(name);

    (void)module;
    return utf8 ? PyBool_FromLong(dcache_setting_known(utf8)) : NULL;
}

static PyMethodDef functions[] = {
    {"key_pickle", keys_pickle, METH_VARARGS,
     "key_pickle(key, protocol, /)\n--\n\n"
     "The pickle under which a key is stored: of equal tuples the same."},
    {"key_aliases", keys_aliases, METH_VARARGS,
     "key_aliases(key, protocol, /)\n--\n\nOther pickles under which 5.6.3 may have it."},
    {"packed_is_sound", packed_is_sound, METH_VARARGS,
     "packed_is_sound(data, /)\n--\n\n"
     "Whether bytes are one value of MessagePack, of bounded depth, all of whose items are there."},
    {"setting_known", setting_known, METH_O,
     "setting_known(name, /)\n--\n\nWhether a setting of that name means something."},
    {NULL},
};

/* ---- the module ---- */

/* The state is references and nothing else. */
#define STATE_OBJECTS (sizeof(struct state) / sizeof(PyObject *))

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    PyObject **objects = PyModule_GetState(module);

    for (size_t i = 0; i < STATE_OBJECTS; i++)
        Py_VISIT(objects[i]);
    return 0;
}

static int module_clear(PyObject *module)
{
    PyObject **objects = PyModule_GetState(module);

    for (size_t i = 0; i < STATE_OBJECTS; i++)
        Py_CLEAR(objects[i]);
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)execute},
#if PY_VERSION_HEX >= 0x030C0000
    /* The library is one for the process, and knows its callers by thread: interpreters share it. */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "diskcache._core",
    .m_doc = "Python objects to the C library and back; see diskcache.core.",
    .m_size = sizeof(struct state),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void); /* found by its name */

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&definition);
}
