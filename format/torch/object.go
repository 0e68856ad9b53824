package torch

import (
	"bytes"
	"math"
)

// This file holds the instructions with which a pickle would make Python call
// something. The few functions of PyTorch that rebuild tensors are known; of
// any other class or function there remains its name, and what it was given.

// extend appends items to the list below them.
func (m *machine) extend(items []any, err error) error {
	if err != nil {
		return err
	}
	v, err := m.top()
	switch v := v.(type) {
	case *List:
		v.Items = append(v.Items, items...)
	case *Set:
		v.Items = append(v.Items, items...)
	case *Object:
		v.Items = append(v.Items, items...)
	default:
		if err == nil {
			err = m.invalid("append to %s", describe(v))
		}
	}
	return err
}

// setItems puts pairs of keys and values into the dictionary below them.
func (m *machine) setItems(items []any, err error) error {
	if err != nil {
		return err
	}
	if len(items)%2 != 0 {
		return m.invalid("a key without a value")
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	var d *Dict
	switch v := v.(type) {
	case *Dict:
		d = v
	case *Object:
		d = &v.Dict
	default:
		return m.invalid("keys set in %s", describe(v))
	}
	for i := 0; i < len(items); i += 2 {
		d.set(items[i], items[i+1])
	}
	return nil
}

// global reads the two lines that name a class.
func (m *machine) global() error {
	var c Class
	for _, name := range []*string{&c.Module, &c.Name} {
		n := bytes.IndexByte(m.code[m.at:], '\n')
		if n < 0 {
			return m.invalid("%w in the name of a class", errEnd)
		}
		*name = string(m.code[m.at : m.at+n])
		m.at += n + 1
	}
	return m.push(c)
}

func (m *machine) stackGlobal() error {
	names, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok1 := names[0].(string)
	name, ok2 := names[1].(string)
	if !ok1 || !ok2 {
		return m.invalid("a class named %s and %s", describe(names[0]), describe(names[1]))
	}
	return m.push(Class{module, name})
}

// persistent replaces ("storage", class, key, location, number of values) by
// the storage. The location, a device, means nothing here. The stream before
// PyTorch 1.6 adds None, or a part of the storage.
func (m *machine) persistent() error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	id, _ := v.(Tuple)
	if len(id) < 5 || id[0] != "storage" {
		return m.invalid("%s where a storage is named", describe(v))
	}
	if m.storages == nil {
		return m.invalid("a storage outside of the object")
	}
	class, ok1 := id[1].(Class)
	key, ok2 := id[2].(string)
	count, ok3 := id[4].(int64)
	if !ok1 || !ok2 || !ok3 || count < 0 || count > math.MaxInt64/8 {
		return m.invalid("a storage of class %s, key %s and size %s", describe(id[1]), describe(id[2]), describe(id[4]))
	}
	if len(id) > 5 && id[5] != nil {
		return m.unsupported("storage %q is part of another", key)
	}
	dtype, ok := storageTypes[class.Name]
	if !ok || class.Module != "torch" && class.Module != "torch.storage" {
		return m.unsupported("storage %q of class %s", key, class)
	}
	s := m.storages[key]
	if s == nil {
		s = &storage{key: key, dtype: dtype, count: count, at: m.base + int64(m.op)}
		m.storages[key] = s
	} else if s.dtype != dtype || s.count != count {
		return m.invalid("storage %q has %d values of %s, and had %d of %s", key, count, dtype, s.count, s.dtype)
	}
	return m.push(s)
}

// reduce is where Python would call a function.
func (m *machine) reduce() error {
	v, err := m.popN(2)
	if err != nil {
		return err
	}
	class, ok := v[0].(Class)
	args, ok2 := v[1].(Tuple)
	if !ok || !ok2 {
		return m.invalid("a call of %s with %s", describe(v[0]), describe(v[1]))
	}
	switch class {
	case Class{"torch._utils", "_rebuild_tensor_v2"}, Class{"torch._utils", "_rebuild_tensor"}:
		if len(args) < 4 {
			return m.invalid("a tensor of %d parts, want 4 or more", len(args))
		}
		s, ok1 := args[0].(*storage)
		offset, ok2 := args[1].(int64)
		shape, ok3 := args[2].(Tuple)
		stride, ok4 := args[3].(Tuple)
		if !ok1 || !ok2 || !ok3 || !ok4 {
			return m.invalid("a tensor made of %s, %s, %s and %s", describe(args[0]), describe(args[1]), describe(args[2]), describe(args[3]))
		}
		m.pushed += len(shape)
		t, err := m.newTensor(s, offset, shape, stride)
		return m.pushOr(t, err)
	case Class{"torch._utils", "_rebuild_parameter"}:
		if len(args) > 0 {
			if t, ok := args[0].(*Tensor); ok {
				return m.push(t)
			}
		}
	case Class{"torch", "Size"}:
		if len(args) == 1 {
			if size, ok := args[0].(Tuple); ok {
				return m.push(size)
			}
		}
	case Class{"collections", "OrderedDict"}:
		d := &Dict{}
		if len(args) == 0 {
			return m.push(d)
		}
		pairs, _ := args[0].(*List)
		for i := 0; pairs != nil && i < len(pairs.Items); i++ {
			key, value, ok := pair(pairs.Items[i])
			if !ok {
				return m.invalid("an OrderedDict of %s", describe(pairs.Items[i]))
			}
			if err := m.count(); err != nil { // a list can be used many times
				return err
			}
			d.set(key, value)
		}
		return m.push(d)
	}
	return m.push(&Object{Class: class, Args: args})
}

// pair takes a list or a tuple of two values apart.
func pair(v any) (a, b any, ok bool) {
	items, _ := v.(Tuple)
	if l, isList := v.(*List); isList {
		items = l.Items
	}
	if len(items) != 2 {
		return nil, nil, false
	}
	return items[0], items[1], true
}

// newObject makes an instance of the class on the stack from the n-1 values
// above it.
func (m *machine) newObject(n int) error {
	v, err := m.popN(n)
	if err != nil {
		return err
	}
	class, ok := v[0].(Class)
	args, ok2 := v[1].(Tuple)
	if !ok || !ok2 {
		return m.invalid("an instance of %s from %s", describe(v[0]), describe(v[1]))
	}
	if class == (Class{"collections", "OrderedDict"}) {
		return m.push(&Dict{})
	}
	o := &Object{Class: class, Args: args}
	if n == 3 {
		if kw, ok := v[2].(*Dict); ok {
			o.State = kw
		}
	}
	return m.push(o)
}

// build gives the object below it its attributes. Those of dictionaries, lists
// and tensors, such as the versions of modules in a state_dict, are dropped.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	switch v := v.(type) {
	case *Object:
		v.State = state
	case *Dict, *List, *Set, *Tensor:
	default:
		if err == nil {
			err = m.invalid("attributes for %s", describe(v))
		}
	}
	return err
}
