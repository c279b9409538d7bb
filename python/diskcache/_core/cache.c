/* cache.c - the type that diskcache.Cache and its kin are made of: opening, closing, its slots. */
#include "core.h"

/* ---- open and close ---- */

static int settings_in(struct state *state, PyObject *dict, struct dcache_setting *list,
                       PyObject *owned)
{
    PyObject *name, *object, *more;
    Py_ssize_t at = 0;
    size_t i = 0;

    while (PyDict_Next(dict, &at, &name, &object)) {
        list[i].name = PyUnicode_AsUTF8(name);
        if (!list[i].name || args_plain(state, object, &list[i].value, &more) < 0)
            return -1;
        if (more && PyList_Append(owned, more) < 0) {
            Py_DECREF(more);
            return -1;
        }
        Py_XDECREF(more);
        i++;
    }
    return 0;
}

/* _open(directory, timeout, settings, flags, shards): what __init__ has found out. Only the settings
 * that are named are stored. */
static PyObject *cache_open(PyObject *object, PyTypeObject *defining, PyObject *const *args,
                            Py_ssize_t nargs, PyObject *kwnames)
{
    CacheObject *self = (CacheObject *)object;
    struct dcache_setting *list = NULL;
    PyObject *owned = NULL, *directory = NULL;
    int rc = -1;

    (void)kwnames;
    if (nargs != 5 || !PyDict_Check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "_open(directory, timeout, settings, flags, shards)");
        return NULL;
    }
    self->state = PyType_GetModuleState(defining);
    if (!PyUnicode_FSConverter(args[0], &directory))
        return NULL;
    Py_XSETREF(self->directory, directory);
    self->timeout = PyFloat_AsDouble(args[1]);
    self->open_flags = (unsigned)PyLong_AsUnsignedLong(args[3]);
    self->shards = (int)PyLong_AsLong(args[4]);
    if (PyErr_Occurred())
        return NULL;
    if (self->timeout == 0) /* for the library that is the default */
        self->timeout = -1;
    opened_release(self->handle);
    self->handle = NULL;
    list = PyMem_Calloc((size_t)PyDict_GET_SIZE(args[2]) + 1, sizeof *list);
    owned = PyList_New(0);
    if (!list)
        PyErr_NoMemory();
    else if (owned && settings_in(self->state, args[2], list, owned) == 0)
        rc = opened_new(self, list, (size_t)PyDict_GET_SIZE(args[2]));
    PyMem_Free(list);
    Py_XDECREF(owned);
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

#define CODING_COUNT (sizeof(struct coding) / sizeof(PyObject *))

static void clear_coding(struct coding *coding)
{
    PyObject **objects = (PyObject **)coding;

    for (size_t i = 0; i < CODING_COUNT; i++)
        Py_CLEAR(objects[i]);
}

static int take_coding(CacheObject *self, PyObject *disk)
{
    static const char *const names[CODING_COUNT] = {"_loads",  "_seal",   "_dumps",
                                                    "_shrink", "_marker", "_pack"};
    struct coding *coding = &self->coding;
    PyObject **objects = (PyObject **)coding;

    clear_coding(coding);
    for (size_t i = 0; i < CODING_COUNT; i++) {
        objects[i] = PyObject_GetAttrString(disk, names[i]);
        if (!objects[i])
            return -1;
        if (objects[i] == Py_None)
            Py_CLEAR(objects[i]);
    }
    if (coding->loads == self->state->loads || coding->seal)
        Py_CLEAR(coding->loads);
    if ((!coding->seal || Py_TYPE(coding->seal) == self->state->seal_type) &&
        (!coding->marker || PyBytes_Check(coding->marker)))
        return 0;
    PyErr_SetString(PyExc_TypeError, "not a Seal, or not bytes");
    return -1;
}

/* _use(disk, custom, aliases, on_decode_error, trusting[, disks]): which Disk, whether its hooks are its
 * own, what to do about what cannot be decoded, whether pickles are loaded from any directory; of a
 * fanout whose Disk has hooks, one for each shard. */
static PyObject *use(PyObject *object, PyObject *args)
{
    CacheObject *self = (CacheObject *)object;
    int custom, aliases, on_decode_error, trusting;
    PyObject *disk, *disks = NULL;

    if (!PyArg_ParseTuple(args, "Oppip|O!:_use", &disk, &custom, &aliases, &on_decode_error,
                          &trusting, &PyTuple_Type, &disks) ||
        take_coding(self, disk) < 0)
        return NULL;
    Py_XINCREF(disks);
    Py_XSETREF(self->disks, disks);
    Py_INCREF(disk);
    Py_XSETREF(self->disk, disk);
    self->custom = custom;
    self->aliases = aliases;
    self->on_decode_error = (enum on_decode_error)on_decode_error;
    self->guarded = !trusting && !self->coding.loads && !self->coding.seal;
    Py_RETURN_NONE;
}

/* The flag is one of opening: the next call opens anew. */
static PyObject *on_evict(PyObject *object, PyObject *function)
{
    CacheObject *self = (CacheObject *)object;
    struct handle *handle = self->handle;

    Py_XSETREF(self->on_evict, function == Py_None ? NULL : Py_NewRef(function));
    self->open_flags &= ~(unsigned)DCACHE_NAME_EVICTED;
    if (self->on_evict)
        self->open_flags |= DCACHE_NAME_EVICTED;
    self->handle = NULL;
    opened_release(handle);
    Py_RETURN_NONE;
}

static PyObject *cache_close(PyObject *object, PyObject *unused)
{
    CacheObject *self = (CacheObject *)object;
    struct handle *handle = self->handle;

    (void)unused;
    self->handle = NULL;
    opened_release(handle);
    Py_RETURN_NONE;
}

static PyObject *get_disk(PyObject *object, void *unused)
{
    CacheObject *self = (CacheObject *)object;

    (void)unused;
    return Py_NewRef(self->disk ? self->disk : Py_None);
}

static PyObject *get_shards(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromLong(((CacheObject *)object)->shards);
}

static PyObject *get_custom(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((CacheObject *)object)->custom);
}

static PyObject *get_lenient(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((CacheObject *)object)->lenient);
}

static int set_lenient(PyObject *object, PyObject *value, void *unused)
{
    (void)unused;
    return args_bool(value, false, &((CacheObject *)object)->lenient);
}

/* ---- the type ---- */

/* A subclass may have its own __iter__, but then one of its bases has ours. */
bool cache_check(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    while (type && type->tp_iter != iterate_forward)
        type = type->tp_base;
    return type != NULL;
}

static int cache_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((CacheObject *)object)->disk);
    Py_VISIT(((CacheObject *)object)->on_evict);
    Py_VISIT(((CacheObject *)object)->disks);
    for (size_t i = 0; i < CODING_COUNT; i++)
        Py_VISIT(((PyObject **)&((CacheObject *)object)->coding)[i]);
    return 0;
}

static int cache_clear(PyObject *object)
{
    Py_CLEAR(((CacheObject *)object)->disk);
    Py_CLEAR(((CacheObject *)object)->on_evict);
    Py_CLEAR(((CacheObject *)object)->disks);
    clear_coding(&((CacheObject *)object)->coding);
    return 0;
}

static void cache_dealloc(PyObject *object)
{
    CacheObject *self = (CacheObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    opened_release(self->handle);
    Py_CLEAR(self->directory);
    Py_CLEAR(self->on_evict);
    Py_CLEAR(self->disk);
    Py_CLEAR(self->disks);
    clear_coding(&self->coding);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef cache_methods[] = {
    {"_open", (PyCFunction)(void (*)(void))cache_open, METH_METHOD | METH_FASTCALL | METH_KEYWORDS,
     NULL},
    {"_use", use, METH_VARARGS, NULL},
    {"_begin", transaction_begin, METH_VARARGS, NULL},
    {"on_evict", on_evict, METH_O,
     "on_evict($self, function, /)\n--\n\n"
     "Have `function(key)` called for each item that the policy takes in a write of this object,\n"
     "after that write, in its thread; None: no longer. Other objects and processes have their own."},
    {"close", cache_close, METH_NOARGS,
     "close($self)\n--\n\nClose the directory; the next operation opens it again."},
    {NULL},
};

static PyGetSetDef cache_getset[] = {
    {"_disk", get_disk, NULL, NULL, NULL},
    {"_txn_id", transaction_owner, NULL, NULL, NULL},
    {"_count", get_shards, NULL, "How many shards there are; 0: this is a single directory.", NULL},
    {"_custom", get_custom, NULL, "Whether the Disk has hooks of its own.", NULL},
    {"_lenient", get_lenient, set_lenient, NULL, NULL},
    {NULL},
};

static PyType_Slot cache_slots[] = {
    {Py_tp_dealloc, (void *)cache_dealloc},
    {Py_tp_traverse, (void *)cache_traverse},
    {Py_tp_clear, (void *)cache_clear},
    {Py_tp_methods, cache_methods},
    {Py_tp_getset, cache_getset},
    {Py_tp_iter, (void *)iterate_forward},
    {Py_mp_subscript, (void *)operation_subscript},
    {Py_mp_ass_subscript, (void *)operation_assign},
    {Py_mp_length, (void *)whole_length},
    {Py_sq_contains, (void *)operation_contains},
    {0, NULL},
};

PyType_Spec cache_spec = {
    .name = "diskcache._core.Cache",
    .basicsize = sizeof(CacheObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = cache_slots,
};
