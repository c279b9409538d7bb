/* keys.c - keys: what they are as C values, and the other forms under which 5.6.3 may have them. */
#include "reader.h"
#include "sealed.h"

/* ---- pickles ---- */

/* As 5.6.3 makes it: by the pickler, then without the PUTs that nothing refers to. */
static PyObject *plain_pickle(struct state *state, PyObject *object, PyObject *protocol)
{
    PyObject *args[] = {object, protocol}, *pickle, *optimized;

    if (!state->optimize) {
        PyObject *module = PyImport_ImportModule("pickletools");

        state->optimize = module ? PyObject_GetAttrString(module, "optimize") : NULL;
        Py_XDECREF(module);
        if (!state->optimize)
            return NULL;
    }
    pickle = PyObject_Vectorcall(state->dumps, args, 2, NULL);
    if (!pickle)
        return NULL;
    optimized = PyObject_CallOneArg(state->optimize, pickle);
    Py_DECREF(pickle);
    return optimized;
}

/* The form in which we store; `ret_ambiguous`: 5.6.3 may have others. */
static PyObject *our_pickle(struct state *state, PyObject *object, PyObject *protocol,
                            bool *ret_ambiguous)
{
    long number = PyLong_AsLong(protocol);
    PyObject *pickle;

    if (number == -1 && PyErr_Occurred())
        return NULL;
    pickle = canonical_pickle(object, number < 0 ? -1 : (int)number, ret_ambiguous);
    if (pickle || PyErr_Occurred())
        return pickle;
    *ret_ambiguous = false;
    return plain_pickle(state, object, protocol);
}

/* A list of the forms that 5.6.3 might have given it. There are seldom any, so that is in Python. */
static PyObject *other_pickles(struct state *state, PyObject *object, PyObject *protocol)
{
    if (!state->aliases) {
        PyObject *module = PyImport_ImportModule("diskcache.aliases");

        state->aliases = module ? PyObject_GetAttrString(module, "pickles") : NULL;
        Py_XDECREF(module);
        if (!state->aliases)
            return NULL;
    }
    return PyObject_CallFunctionObjArgs(state->aliases, object, protocol, NULL);
}

PyObject *keys_pickle(PyObject *module, PyObject *args)
{
    PyObject *object, *protocol;
    bool ambiguous;

    if (!PyArg_ParseTuple(args, "OO!:key_pickle", &object, &PyLong_Type, &protocol))
        return NULL;
    return our_pickle(module_state(module), object, protocol, &ambiguous);
}

PyObject *keys_aliases(PyObject *module, PyObject *args)
{
    PyObject *object, *protocol, *ours;
    bool ambiguous;

    if (!PyArg_ParseTuple(args, "OO!:key_aliases", &object, &PyLong_Type, &protocol))
        return NULL;
    ours = our_pickle(module_state(module), object, protocol, &ambiguous);
    Py_XDECREF(ours);
    if (!ours)
        return NULL;
    return ambiguous ? other_pickles(module_state(module), object, protocol) : PyList_New(0);
}

/* ---- in ---- */

bool packed_is_marked(const struct call *call, const struct dcache_value *value)
{
    PyObject *marker = call->self->coding.marker;

    return marker && value->type == DCACHE_BYTES &&
           value->size >= (size_t)PyBytes_GET_SIZE(marker) &&
           memcmp(value->data, PyBytes_AS_STRING(marker), (size_t)PyBytes_GET_SIZE(marker)) == 0;
}

static int packed_in(struct key *key, struct call *call)
{
    PyObject *packed = PyObject_CallOneArg(call->self->coding.pack, key->object);

    if (packed && !PyBytes_Check(packed)) {
        PyErr_SetString(PyExc_TypeError, "a Disk packs into bytes");
        Py_CLEAR(packed);
    }
    if (!packed)
        return -1;
    Py_XSETREF(key->owned, packed);
    key->value = dcache_bytes(PyBytes_AS_STRING(packed), (size_t)PyBytes_GET_SIZE(packed));
    return 0;
}

static int pickle_in(struct key *key, struct call *call)
{
    PyObject *protocol;

    if (call->self->coding.marker)
        return packed_in(key, call);
    protocol = PyObject_GetAttr(call->disk, call->state->s_protocol);
    key->owned = protocol ? our_pickle(call->state, key->object, protocol, &key->ambiguous) : NULL;
    Py_XDECREF(protocol);
    if (!key->owned)
        return -1;
    key->value = dcache_sized(DCACHE_PICKLE, PyBytes_AS_STRING(key->owned),
                              (size_t)PyBytes_GET_SIZE(key->owned));
    return 0;
}

/* (database key, raw), as a Disk's put() returns it. */
static int pair_in(struct call *call, PyObject *pair, struct dcache_value *value, PyObject **owned)
{
    PyObject *more = NULL;
    int raw;

    *owned = NULL;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "put() of a Disk returns a key and whether it is raw");
        return -1;
    }
    raw = PyObject_IsTrue(PyTuple_GET_ITEM(pair, 1));
    if (raw < 0 || args_plain(call->state, PyTuple_GET_ITEM(pair, 0), value, &more) < 0)
        return -1;
    if (!raw && value->type == DCACHE_BYTES)
        value->type = DCACHE_PICKLE;
    *owned = more ? more : Py_NewRef(pair);
    return 0;
}

static void forget_others(struct key *key)
{
    for (int i = 0; i < key->other_count; i++)
        Py_CLEAR(key->others[i].owned);
    PyMem_Free(key->others);
    key->others = NULL;
    key->other_count = 0;
}

/* In a fanout another form may be in another shard, whose Disk then makes the file: so the form that is
 * there is chosen beforehand. */
static int choose_form(struct key *key, struct call *call)
{
    int chosen = -1, rc = DCACHE_NOT_FOUND;

    if (key_others(key, call) < 0)
        return -1;
    key->ambiguous = false;
    CALL_BEGIN_UNLOCKED
    if (key->other_count > 0)
        rc = dcache_contains(call->cache, &key->value);
    while (rc == DCACHE_NOT_FOUND && chosen + 1 < key->other_count)
        rc = dcache_contains(call->cache, &key->others[++chosen].value);
    CALL_END_UNLOCKED
    if (rc == 0 && chosen >= 0) {
        PyObject *owned = key->owned;

        key->value = key->others[chosen].value;
        key->owned = key->others[chosen].owned;
        key->others[chosen].owned = owned;
    }
    forget_others(key);
    return 0;
}

static int custom_in(struct key *key, struct call *call)
{
    PyObject *pair = PyObject_CallMethodOneArg(call->disk, call->state->s_put, key->object);
    int rc = pair ? pair_in(call, pair, &key->value, &key->owned) : -1;

    key->ambiguous = call->self->aliases;
    Py_XDECREF(pair);
    return rc;
}

static int plain_in(struct key *key, struct call *call, PyObject *object)
{
    if (PyUnicode_CheckExact(object)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(object, &size);

        key->value = dcache_sized(DCACHE_TEXT, text, (size_t)size);
        return text ? 0 : -1;
    }
    if (PyLong_CheckExact(object)) {
        int overflow;

        key->value = dcache_int(PyLong_AsLongLongAndOverflow(object, &overflow));
        return overflow ? pickle_in(key, call) : 0;
    }
    if (PyBytes_CheckExact(object))
        key->value = dcache_bytes(PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
    else if (PyFloat_CheckExact(object))
        key->value = dcache_double(PyFloat_AS_DOUBLE(object));
    else if (object == Py_None)
        key->value = dcache_none();
    else
        return pickle_in(key, call);
    return 0;
}

/* A Disk that signs has numbers, texts and None as they are. */
static int sealed_in(struct key *key, struct call *call)
{
    char letter = key->value.type == DCACHE_PICKLE ? SEALED_PICKLE : SEALED_BYTES;
    PyObject *place = sealed_place(NULL), *sealed = NULL;

    if (place)
        sealed = sealed_close(call->self->coding.seal, place, letter, key->value.data,
                              key->value.size);
    Py_XDECREF(place);
    if (!sealed)
        return -1;
    Py_XSETREF(key->owned, sealed);
    key->value = dcache_bytes(PyBytes_AS_STRING(sealed), (size_t)PyBytes_GET_SIZE(sealed));
    key->ambiguous = call->self->aliases;
    return 0;
}

int key_in(struct key *key, struct call *call, PyObject *object)
{
    int rc;

    memset(key, 0, sizeof *key);
    key->object = object;
    if (call->self->custom) {
        rc = custom_in(key, call);
        if (rc == 0 && key->ambiguous && call->self->disks)
            rc = choose_form(key, call);
        if (rc == 0)
            call_at(call, &key->value);
        return rc;
    }
    rc = plain_in(key, call, object);
    if (rc == 0 && packed_is_marked(call, &key->value) && !key->owned)
        rc = packed_in(key, call); /* bytes that only look so */
    if (rc == 0 && call->self->coding.seal &&
        (key->value.type == DCACHE_BYTES || key->value.type == DCACHE_PICKLE))
        rc = sealed_in(key, call);
    return rc;
}

int key_of_queue(struct key *key, const char *prefix)
{
    memset(key, 0, sizeof *key);
    key->value = dcache_int(500000000000000);
    if (!prefix)
        return 0;
    key->owned = PyBytes_FromFormat("%s-500000000000000", prefix);
    if (!key->owned)
        return -1;
    key->value = dcache_sized(DCACHE_TEXT, PyBytes_AS_STRING(key->owned),
                              (size_t)PyBytes_GET_SIZE(key->owned));
    return 0;
}

void key_clear(struct key *key)
{
    forget_others(key);
    Py_CLEAR(key->owned);
}

/* ---- other forms ---- */

static bool same_value(const struct dcache_value *a, const struct dcache_value *b)
{
    return a->type == b->type && a->type >= DCACHE_TEXT && a->size == b->size &&
           memcmp(a->data, b->data, a->size) == 0;
}

static int add_other(struct key *key, struct call *call, PyObject *form)
{
    struct dcache_value value;
    PyObject *owned;

    if (PyBytes_Check(form)) {
        owned = Py_NewRef(form);
        value = dcache_sized(DCACHE_PICKLE, PyBytes_AS_STRING(form),
                             (size_t)PyBytes_GET_SIZE(form));
    } else if (pair_in(call, form, &value, &owned) < 0) {
        return -1;
    }
    for (int i = -1; i < key->other_count; i++)
        if (same_value(&value, i < 0 ? &key->value : &key->others[i].value)) {
            Py_DECREF(owned);
            return 0;
        }
    key->others[key->other_count].value = value;
    key->others[key->other_count++].owned = owned;
    return 0;
}

int key_others(struct key *key, struct call *call)
{
    PyObject *disk = call->disk, *forms = NULL, *protocol, *list;
    int rc = 0;

    if (key->others)
        return 0;
    if (call->self->custom || call->self->coding.seal) {
        forms = PyObject_CallMethodOneArg(disk, call->state->s_aliases, key->object);
    } else {
        protocol = PyObject_GetAttr(disk, call->state->s_protocol);
        forms = protocol ? other_pickles(call->state, key->object, protocol) : NULL;
        Py_XDECREF(protocol);
    }
    list = forms ? PySequence_List(forms) : NULL;
    Py_XDECREF(forms);
    if (!list)
        return -1;
    key->others = PyMem_Calloc((size_t)PyList_GET_SIZE(list) + 1, sizeof *key->others);
    if (!key->others) {
        PyErr_NoMemory();
        rc = -1;
    }
    for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(list); i++)
        rc = add_other(key, call, PyList_GET_ITEM(list, i));
    Py_DECREF(list);
    return rc;
}

/* ---- calls on a key ---- */

/* On what is there, in one transaction: otherwise another could store our form meanwhile, and there
 * would be two. */
static int write_one_of(dcache *cache, struct key *key, key_step *step, void *arg)
{
    const struct dcache_value *form = &key->value;
    dcache *txn;
    int rc = dcache_begin(cache, -1, &txn);

    if (rc < 0)
        return rc;
    rc = dcache_contains(txn, form);
    for (int i = 0; rc == DCACHE_NOT_FOUND && i < key->other_count; i++) {
        rc = dcache_contains(txn, &key->others[i].value);
        if (rc == 0)
            form = &key->others[i].value;
    }
    if (rc == 0 || rc == DCACHE_NOT_FOUND)
        rc = step(txn, form, arg);
    if (rc < 0) {
        dcache_rollback(txn);
        return rc;
    }
    return dcache_commit(txn);
}

int key_call(struct call *call, struct key *key, bool writes, key_step *step, void *arg)
{
    int rc = 0;

    if (writes && key->ambiguous && key_others(key, call) < 0)
        return DCACHE_CALLBACK;
    CALL_BEGIN_UNLOCKED
    rc = writes && key->other_count > 0 ? write_one_of(call->cache, key, step, arg)
                                        : step(call->cache, &key->value, arg);
    CALL_END_UNLOCKED
    if (rc != DCACHE_NOT_FOUND || writes || !key->ambiguous)
        return rc;
    if (key_others(key, call) < 0)
        return DCACHE_CALLBACK;
    CALL_BEGIN_UNLOCKED
    for (int i = 0; rc == DCACHE_NOT_FOUND && i < key->other_count; i++) {
        rc = dcache_contains(call->cache, &key->others[i].value); /* which does not count */
        if (rc == 0)
            rc = step(call->cache, &key->others[i].value, arg);
    }
    CALL_END_UNLOCKED
    return rc;
}

/* ---- out ---- */

int pickle_is_trusted(struct call *call)
{
    int rc = call->self->guarded ? dcache_others_write(call->handle->cache) : 0;

    if (rc < 0)
        errors_raise(call->state, rc, NULL);
    else if (rc > 0)
        PyErr_Format(call->state->unsafe,
                     "other users may write to %s, and a pickle of theirs could run any code: take "
                     "away their right, use SafeDisk, or open with trust_directory=True",
                     PyBytes_AS_STRING(call->self->directory));
    return rc == 0 ? 0 : -1;
}

/* A frame of zstd is no pickle: "(", and what is no instruction. */
static bool is_compressed(const struct dcache_value *value)
{
    return value->size >= 4 && memcmp(value->data, "\x28\xb5\x2f\xfd", 4) == 0;
}

static PyObject *load(struct call *call, PyObject *loads, const char *data, size_t size)
{
    PyObject *view, *object;

    if (Py_TYPE(loads) == call->state->reader_type)
        return reader_load(loads, data, size);
    view = PyMemoryView_FromMemory((char *)(uintptr_t)data, (Py_ssize_t)size, PyBUF_READ);
    object = view ? PyObject_CallOneArg(loads, view) : NULL;
    Py_XDECREF(view);
    return object;
}

PyObject *pickle_out(struct call *call, const struct dcache_value *value)
{
    PyObject *loads = call->self->coding.loads ? call->self->coding.loads : call->state->loads;
    PyObject *data, *object = NULL;

    if (pickle_is_trusted(call) < 0)
        return NULL;
    if (!is_compressed(value))
        return load(call, loads, value->data, value->size);
    data = PyObject_CallMethod(call->disk, "_expand", "y#", value->data, (Py_ssize_t)value->size);
    if (data && PyBytes_Check(data))
        object = load(call, loads, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
    Py_XDECREF(data);
    return object;
}

/* The library knows two pickles by sight, None's and NaN's; a Disk's get() is given them again. */
static PyObject *custom_out(struct call *call, const struct dcache_value *key)
{
    bool raw = key->type != DCACHE_PICKLE && key->type != DCACHE_NONE &&
               !(key->type == DCACHE_DOUBLE && isnan(key->real));
    PyObject *protocol = NULL, *stored, *object = NULL;

    if (key->type == DCACHE_PICKLE && pickle_is_trusted(call) < 0)
        return NULL;
    if (raw || key->type == DCACHE_PICKLE) {
        stored = plain_out(key);
    } else {
        PyObject *plain = plain_out(key);

        protocol = PyObject_GetAttr(call->disk, call->state->s_protocol);
        stored = plain && protocol ? plain_pickle(call->state, plain, protocol) : NULL;
        Py_XDECREF(plain);
        Py_XDECREF(protocol);
    }
    if (stored)
        object = PyObject_CallMethodObjArgs(call->disk, call->state->s_get, stored,
                                            raw ? Py_True : Py_False, NULL);
    Py_XDECREF(stored);
    return object;
}

PyObject *sealed_out(struct call *call, const struct dcache_value *key,
                     const struct dcache_value *sealed)
{
    PyObject *place = sealed_place(key), *data = NULL, *object = NULL;
    struct dcache_value pickle;
    char letter = 0;

    if (place && sealed->type == DCACHE_BYTES)
        data = sealed_open(call->self->coding.seal, place, sealed->data, sealed->size, &letter);
    else if (place)
        PyErr_SetString(call->state->unpickling_error, "a pickle that is not signed");
    if (data && letter == SEALED_PICKLE) {
        pickle = dcache_sized(DCACHE_PICKLE, PyBytes_AS_STRING(data),
                              (size_t)PyBytes_GET_SIZE(data));
        object = pickle_out(call, &pickle);
    } else if (data) {
        object = Py_NewRef(data);
    }
    Py_XDECREF(place);
    Py_XDECREF(data);
    return object;
}

PyObject *key_out(struct call *call, const struct dcache_value *key)
{
    if (call->self->custom)
        return custom_out(call, key);
    if (call->self->coding.seal && (key->type == DCACHE_BYTES || key->type == DCACHE_PICKLE))
        return sealed_out(call, NULL, key);
    if (key->type == DCACHE_PICKLE || packed_is_marked(call, key))
        return pickle_out(call, key);
    return plain_out(key);
}
