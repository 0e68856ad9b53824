package torch

import (
	"encoding/binary"
	"errors"

	"heed/format"
)

// legacyMagic begins a file of PyTorch before 1.6: a pickle of protocol 2 of
// the number 0x1950a86a20f9469cfc6c.
var legacyMagic = []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")

// readLegacy reads the stream of PyTorch before 1.6: pickles of the magic
// number, the protocol (1001), facts about the machine, the object and the list
// of the keys of its storages; then for each key the number of values (8 bytes,
// little-endian) and the values.
func (f *File) readLegacy() error {
	window := min(f.size, MaxPickle)
	code := make([]byte, window-int64(len(legacyMagic)))
	base := int64(len(legacyMagic))
	if err := f.readAt(code, base); err != nil {
		return err
	}
	next := func(what string, storages map[string]*storage) (any, error) {
		m := &machine{name: f.Name, base: base, code: code, storages: storages, legacy: true}
		v, err := m.run()
		if errors.Is(err, errEnd) && window < f.size {
			return nil, format.TooLargeAt(f.Name, base, "the pickle of %s ends beyond %d bytes", what, MaxPickle)
		}
		code, base = code[m.at:], base+int64(m.at)
		return v, err
	}
	version, err := next("the protocol", nil)
	if err != nil {
		return err
	}
	if version != int64(1001) {
		return format.UnsupportedAt(f.Name, int64(len(legacyMagic)), "protocol %s of PyTorch, want 1001", describe(version))
	}
	at := base
	system, err := next("facts about the machine", nil)
	if err != nil {
		return err
	}
	if d, ok := system.(*Dict); ok && d.Get("little_endian") == false {
		return format.UnsupportedAt(f.Name, at, "byte order \"big\"")
	}
	if f.Root, err = next("the object", f.storages); err != nil {
		return err
	}
	at = base
	list, err := next("the keys", nil)
	if err != nil {
		return err
	}
	keys, ok := list.(*List)
	if !ok || len(keys.Items) != len(f.storages) {
		return format.InvalidAt(f.Name, at, "%s where the list of %d keys should be", describe(list), len(f.storages))
	}
	for i, k := range keys.Items {
		key, _ := k.(string)
		s := f.storages[key]
		if s == nil || s.offset != 0 {
			return format.InvalidAt(f.Name, at, "key %d, %s, names no storage, or one that had its turn", i, describe(k))
		}
		if f.size-base < 8 {
			return format.InvalidAt(f.Name, base, "the file ends before storage %q", key)
		}
		var b [8]byte
		if err := f.readAt(b[:], base); err != nil {
			return err
		}
		if n := binary.LittleEndian.Uint64(b[:]); n != uint64(s.count) {
			return format.InvalidAt(f.Name, base, "storage %q has %d values, the pickle says %d", key, n, s.count)
		}
		base += 8
		if s.count > (f.size-base)/int64(s.dtype.Size()) {
			return format.InvalidAt(f.Name, base, "storage %q: %d values of %s, the file has only %d more bytes", key, s.count, s.dtype, f.size-base)
		}
		s.offset = base
		base += s.count * int64(s.dtype.Size())
	}
	if base != f.size {
		return format.InvalidAt(f.Name, base, "%d bytes after the last storage", f.size-base)
	}
	return nil
}
