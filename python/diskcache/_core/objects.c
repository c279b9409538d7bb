/* objects.c - the instructions of a pickle that concern names and objects that are there, and the type
 * PickleReader. See reader.h. */
#include "machine.h"

/* For messages: a repr() might be long, or run what a class has for it. */
static const char *type_name(const PyObject *object)
{
    return Py_TYPE(object)->tp_name;
}

/* ---- names ---- */

/* What find() says of a name, which it is asked for once. */
static PyObject *look_up(ReaderObject *reader, PyObject *module, PyObject *name)
{
    PyObject *pair = PyTuple_Pack(2, module, name), *known;

    if (!pair)
        return NULL;
    known = PyDict_GetItemWithError(reader->names, pair);
    if (!known && !PyErr_Occurred()) {
        PyObject *found = PyObject_CallFunctionObjArgs(reader->find, module, name, NULL);

        if (found && (!PyTuple_Check(found) || PyTuple_GET_SIZE(found) != 2))
            PyErr_SetString(PyExc_TypeError, "find() returns an object and what its call calls");
        else if (found && PyDict_SetItem(reader->names, pair, found) == 0)
            known = found; /* the dict has it from now on: nothing is taken out of it */
        Py_XDECREF(found);
    }
    Py_DECREF(pair);
    return known;
}

static int push_name(struct machine *m, PyObject *module, PyObject *name)
{
    PyObject *found = look_up(m->reader, module, name);
    struct slot slot = {.origin = NAMED};

    if (!found)
        return -1;
    slot.object = PyTuple_GET_ITEM(found, 0);
    if (PyTuple_GET_ITEM(found, 1) != Py_None)
        slot.call = PyTuple_GET_ITEM(found, 1);
    return machine_push_slot(m, &slot);
}

static PyObject *text_line(struct machine *m)
{
    const unsigned char *line;
    size_t size;

    if (machine_line(m, &line, &size) < 0)
        return NULL;
    return PyUnicode_DecodeUTF8((const char *)line, (Py_ssize_t)size, NULL);
}

int object_name(struct machine *m)
{
    PyObject *module = text_line(m), *name = module ? text_line(m) : NULL;
    int rc = name ? push_name(m, module, name) : -1;

    Py_XDECREF(module);
    Py_XDECREF(name);
    return rc;
}

int object_named(struct machine *m)
{
    struct slot name, module;
    int rc;

    if (machine_pop(m, &name) < 0)
        return -1;
    if (machine_pop(m, &module) < 0) {
        Py_DECREF(name.object);
        return -1;
    }
    if (PyUnicode_CheckExact(name.object) && PyUnicode_CheckExact(module.object))
        rc = push_name(m, module.object, name.object);
    else
        rc = machine_fail(m, "a name that is no text");
    Py_DECREF(name.object);
    Py_DECREF(module.object);
    return rc;
}

/* ---- calls ---- */

static int push_made(struct machine *m, PyObject *object, unsigned depth)
{
    int rc;

    if (!object)
        return -1;
    rc = machine_push(m, object, depth + 1);
    if (rc == 0 && Py_REFCNT(object) == 1)
        m->stack[m->count - 1].origin = MADE;
    return rc;
}

/* getattr(class, "attribute"): how some write a name inside of a class. */
static int push_inner(struct machine *m, PyObject *args)
{
    PyObject *class, *attribute, *module, *outer, *name = NULL;
    int rc = -1;

    if (PyTuple_GET_SIZE(args) != 2 || !PyType_Check(PyTuple_GET_ITEM(args, 0)) ||
        !PyUnicode_CheckExact(PyTuple_GET_ITEM(args, 1)))
        return machine_fail(m, "an attribute of no class");
    class = PyTuple_GET_ITEM(args, 0);
    attribute = PyTuple_GET_ITEM(args, 1);
    module = PyObject_GetAttrString(class, "__module__");
    outer = PyObject_GetAttrString(class, "__qualname__");
    if (module && outer)
        name = PyUnicode_FromFormat("%S.%U", outer, attribute);
    if (name)
        rc = push_name(m, module, name);
    Py_XDECREF(module);
    Py_XDECREF(outer);
    Py_XDECREF(name);
    return rc;
}

int object_call(struct machine *m)
{
    struct slot args, called;
    int rc;

    if (machine_pop(m, &args) < 0)
        return -1;
    if (machine_pop(m, &called) < 0) {
        Py_DECREF(args.object);
        return -1;
    }
    if (called.origin != NAMED || !called.call)
        rc = machine_fail(m, "a call of %s", type_name(called.object));
    else if (!PyTuple_CheckExact(args.object))
        rc = machine_fail(m, "arguments that are no tuple");
    else if (called.call == Py_Ellipsis)
        rc = push_inner(m, args.object);
    else
        rc = push_made(m, PyObject_CallObject(called.call, args.object), args.depth);
    Py_DECREF(args.object);
    Py_DECREF(called.object);
    return rc;
}

/* Of a class only for which find() has handed out nothing else to be called. */
static int make(struct machine *m, const struct slot *class, const struct slot *args,
                PyObject *keywords)
{
    PyTypeObject *type = (PyTypeObject *)class->object;

    if (class->origin != NAMED || class->call != class->object || !PyType_Check(class->object))
        return machine_fail(m, "an object of %s", type_name(class->object));
    if (!type->tp_new || !PyTuple_CheckExact(args->object) ||
        (keywords && !PyDict_CheckExact(keywords)))
        return machine_fail(m, "arguments that are no tuple");
    return push_made(m, type->tp_new(type, args->object, keywords), args->depth);
}

int object_new(struct machine *m)
{
    struct slot args, class;
    int rc;

    if (machine_pop(m, &args) < 0)
        return -1;
    rc = machine_pop(m, &class);
    if (rc == 0) {
        rc = make(m, &class, &args, NULL);
        Py_DECREF(class.object);
    }
    Py_DECREF(args.object);
    return rc;
}

int object_new_ex(struct machine *m)
{
    struct slot keywords, args, class;
    int rc;

    if (machine_pop(m, &keywords) < 0)
        return -1;
    rc = machine_pop(m, &args);
    if (rc == 0) {
        rc = machine_pop(m, &class);
        if (rc == 0) {
            rc = make(m, &class, &args, keywords.object);
            Py_DECREF(class.object);
        }
        Py_DECREF(args.object);
    }
    Py_DECREF(keywords.object);
    return rc;
}

/* ---- state ---- */

/* A method of the class: what a state before has put into the object is not called. 1: called; 0: there
 * is none. */
static int call_method(PyObject *object, const char *name, PyObject *argument)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)Py_TYPE(object), name), *done;

    if (!method && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return 0;
    }
    done = method ? PyObject_CallFunctionObjArgs(method, object, argument, NULL) : NULL;
    Py_XDECREF(method);
    Py_XDECREF(done);
    return done ? 1 : -1;
}

/* Over a copy: a property of the class may do anything to what it is given. */
static int set_slots(struct machine *m, PyObject *object, PyObject *slots)
{
    PyObject *copy = PyDict_Copy(slots), *name, *value;
    int rc = copy ? 0 : -1;
    Py_ssize_t at = 0;

    while (rc == 0 && PyDict_Next(copy, &at, &name, &value)) {
        if (!PyUnicode_CheckExact(name) ||
            PyUnicode_Tailmatch(name, m->reader->dunder, 0, PY_SSIZE_T_MAX, -1))
            rc = machine_fail(m, "an attribute that is no name");
        else
            rc = PyObject_SetAttr(object, name, value);
    }
    Py_XDECREF(copy);
    return rc;
}

/* As object.__reduce_ex__() has it: a dict of attributes, or a pair of that and one of slots. */
static int set_state(struct machine *m, PyObject *object, PyObject *state)
{
    PyObject *slots = Py_None, *attributes;
    int rc = 0;

    if (PyTuple_CheckExact(state) && PyTuple_GET_SIZE(state) == 2) {
        slots = PyTuple_GET_ITEM(state, 1);
        state = PyTuple_GET_ITEM(state, 0);
    }
    if ((state != Py_None && !PyDict_CheckExact(state)) ||
        (slots != Py_None && !PyDict_CheckExact(slots)))
        return machine_fail(m, "a state that is no dict");
    if (state != Py_None) {
        attributes = PyObject_GetAttrString(object, "__dict__");
        rc = !attributes                      ? -1
             : !PyDict_CheckExact(attributes) ? machine_fail(m, "an object without attributes")
                                              : PyDict_Update(attributes, state);
        Py_XDECREF(attributes);
    }
    if (rc == 0 && slots != Py_None)
        rc = set_slots(m, object, slots);
    return rc;
}

/* The object in all places where it was put aside becomes another. */
static void replace(struct machine *m, PyObject *object, PyObject *by)
{
    for (size_t i = 0; i < m->memo_room; i++)
        if (m->memo[i].object == object)
            Py_SETREF(m->memo[i].object, Py_NewRef(by));
    Py_SETREF(m->stack[m->count - 1].object, Py_NewRef(by));
}

static int build(struct machine *m, const struct slot *state)
{
    const struct slot *top = machine_top(m);
    PyObject *builder, *built;
    int rc;

    if (!top)
        return -1;
    builder = PyDict_GetItemWithError(m->reader->builders, (PyObject *)Py_TYPE(top->object));
    if (builder) {
        built = PyObject_CallFunctionObjArgs(builder, top->object, state->object, NULL);
        if (built)
            replace(m, top->object, built);
        Py_XDECREF(built);
        return built ? 0 : -1;
    }
    if (PyErr_Occurred())
        return -1;
    if (top->origin != MADE)
        return machine_fail(m, "a state for %s", type_name(top->object));
    rc = call_method(top->object, "__setstate__", state->object);
    return rc == 0 ? set_state(m, top->object, state->object) : rc < 0 ? -1 : 0;
}

int object_build(struct machine *m)
{
    struct slot state;
    int rc;

    if (machine_pop(m, &state) < 0)
        return -1;
    rc = build(m, &state);
    Py_DECREF(state.object);
    return rc;
}

/* ---- items ---- */

/* What is to get the `count` items above it. */
static struct slot *below(struct machine *m, size_t count)
{
    size_t fence = m->mark_count > 0 ? m->marks[m->mark_count - 1] : 0;

    if (m->count >= fence + count + 1)
        return m->stack + m->count - count - 1;
    machine_raise(m, "its stack is empty");
    return NULL;
}

static int append(struct machine *m, size_t count)
{
    struct slot *list = below(m, count);
    int rc = list ? 0 : -1;

    for (size_t i = 1; rc == 0 && i <= count; i++) {
        if (PyList_CheckExact(list->object))
            rc = PyList_Append(list->object, list[i].object);
        else if (list->origin != MADE)
            rc = machine_fail(m, "an item for %s", type_name(list->object));
        else if ((rc = call_method(list->object, "append", list[i].object)) == 0)
            rc = machine_fail(m, "an item for %s", type_name(list->object));
        else
            rc = rc < 0 ? -1 : 0;
    }
    if (rc == 0)
        machine_drop(m, count);
    return rc;
}

int object_append(struct machine *m)
{
    return append(m, 1);
}

int object_appends(struct machine *m)
{
    size_t count;

    return machine_unmark(m, &count) < 0 ? -1 : append(m, count);
}

static int set_items(struct machine *m, size_t count)
{
    struct slot *dict = below(m, count);
    int rc = dict ? 0 : -1;

    if (rc == 0 && count % 2)
        rc = machine_fail(m, "a key without its value");
    for (size_t i = 1; rc == 0 && i <= count; i += 2) {
        if (PyDict_CheckExact(dict->object))
            rc = PyDict_SetItem(dict->object, dict[i].object, dict[i + 1].object);
        else if (dict->origin == MADE)
            rc = PyObject_SetItem(dict->object, dict[i].object, dict[i + 1].object);
        else
            rc = machine_fail(m, "an item for %s", type_name(dict->object));
    }
    if (rc == 0)
        machine_drop(m, count);
    return rc;
}

int object_item(struct machine *m)
{
    return set_items(m, 2);
}

int object_items(struct machine *m)
{
    size_t count;

    return machine_unmark(m, &count) < 0 ? -1 : set_items(m, count);
}

int object_add(struct machine *m)
{
    struct slot *set;
    size_t count;
    int rc = 0;

    if (machine_unmark(m, &count) < 0 || !(set = below(m, count)))
        return -1;
    if (!Py_IS_TYPE(set->object, &PySet_Type))
        rc = machine_fail(m, "an item for %s", type_name(set->object));
    for (size_t i = 1; rc == 0 && i <= count; i++)
        rc = PySet_Add(set->object, set[i].object);
    if (rc == 0)
        machine_drop(m, count);
    return rc;
}

/* ---- the type ---- */

static int take(PyObject **ret, const char *module_name, const char *name)
{
    PyObject *module = PyImport_ImportModule(module_name);

    *ret = module ? PyObject_GetAttrString(module, name) : NULL;
    Py_XDECREF(module);
    return *ret ? 0 : -1;
}

static PyObject *from_bytes(void)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)&PyLong_Type, "from_bytes");
    PyObject *partial = NULL, *keywords = NULL, *args = NULL, *result = NULL;

    if (method && take(&partial, "functools", "partial") == 0 &&
        (keywords = Py_BuildValue("{s:s,s:O}", "byteorder", "little", "signed", Py_True)) &&
        (args = PyTuple_Pack(1, method)))
        result = PyObject_Call(partial, args, keywords);
    Py_XDECREF(method);
    Py_XDECREF(partial);
    Py_XDECREF(keywords);
    Py_XDECREF(args);
    return result;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *find, *builders;
    ReaderObject *self;

    if ((keywords && PyDict_GET_SIZE(keywords) > 0) ||
        !PyArg_ParseTuple(args, "OO!:PickleReader", &find, &PyDict_Type, &builders) ||
        !(self = (ReaderObject *)type->tp_alloc(type, 0)))
        return NULL;
    self->find = Py_NewRef(find);
    self->builders = Py_NewRef(builders);
    self->names = PyDict_New();
    self->dunder = PyUnicode_InternFromString("__");
    self->from_bytes = from_bytes();
    if (!self->names || !self->dunder || !self->from_bytes ||
        take(&self->error, "pickle", "UnpicklingError") < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static PyObject *reader_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    PyObject *object;
    Py_buffer data;

    if ((keywords && PyDict_GET_SIZE(keywords) > 0) || !PyArg_ParseTuple(args, "y*:load", &data))
        return NULL;
    object = reader_load(self, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    return object;
}

static int reader_traverse(PyObject *object, visitproc visit, void *arg)
{
    ReaderObject *self = (ReaderObject *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->find);
    Py_VISIT(self->builders);
    Py_VISIT(self->names);
    return 0;
}

static int reader_clear(PyObject *object)
{
    ReaderObject *self = (ReaderObject *)object;

    Py_CLEAR(self->find);
    Py_CLEAR(self->builders);
    Py_CLEAR(self->names);
    return 0;
}

static void reader_dealloc(PyObject *object)
{
    ReaderObject *self = (ReaderObject *)object;
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    (void)reader_clear(object);
    Py_CLEAR(self->dunder);
    Py_CLEAR(self->from_bytes);
    Py_CLEAR(self->error);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyType_Slot reader_slots[] = {
    {Py_tp_new, (void *)reader_new},           {Py_tp_call, (void *)reader_call},
    {Py_tp_traverse, (void *)reader_traverse}, {Py_tp_clear, (void *)reader_clear},
    {Py_tp_dealloc, (void *)reader_dealloc},   {0, NULL},
};

PyType_Spec reader_spec = {
    .name = "diskcache._core.PickleReader",
    .basicsize = sizeof(ReaderObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = reader_slots,
};
