package checkpoint

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"heed/format"
	"heed/tensor"
)

// chunk is how many bytes are converted at a time.
const chunk = 1 << 16

// A File is the content of a safetensors file. Entries[i] holds the values that
// Arrays[i] describes; it has the type F32 where the file has F64, F16 or BF16.
type File struct {
	Header
	Entries []Entry
}

// Load reads a file. See Read.
func Load(path string) (*File, error) {
	r, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return Read(path, r, size)
}

// LoadHeader reads the header of a file and none of its values.
func LoadHeader(path string) (*Header, error) {
	r, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return ReadHeader(path, r, size)
}

func open(path string) (*os.File, int64, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, 0, format.PathError(path, err)
	}
	st, err := r.Stat()
	if err != nil {
		r.Close()
		return nil, 0, format.PathError(path, err)
	}
	return r, st.Size(), nil
}

// Read reads a file of the given size with all its values. The name is for
// messages. Values are taken as they are: Restore is what refuses NaN. Errors
// are of type *format.Error; those of r come as they are.
func Read(name string, r io.ReaderAt, size int64) (*File, error) {
	h, err := ReadHeader(name, r, size)
	if err != nil {
		return nil, err
	}
	f := &File{Header: *h, Entries: make([]Entry, len(h.Arrays))}
	buf := make([]byte, min(chunk, size))
	for i, a := range h.Arrays {
		e := Entry{Name: a.Name, DType: a.DType, Shape: a.Shape}
		if a.DType.Float() {
			e.DType = F32
			e.Float, err = readFloats(name, r, a, buf)
		} else {
			e.Raw = make([]byte, a.Bytes)
			err = readAt(name, r, e.Raw, a.Offset)
		}
		if err != nil {
			return nil, err
		}
		f.Entries[i] = e
	}
	return f, nil
}

func readFloats(name string, r io.ReaderAt, a Array, buf []byte) ([]float32, error) {
	size := a.DType.Size()
	out := make([]float32, a.Bytes/int64(size))
	at := a.Offset
	for rest := out; len(rest) > 0; {
		n := min(len(buf)/size, len(rest))
		if err := readAt(name, r, buf[:n*size], at); err != nil {
			return nil, err
		}
		a.DType.Widen(rest[:n], buf)
		rest = rest[n:]
		at += int64(n * size)
	}
	return out, nil
}

// Under returns the part of f whose names begin with prefix. The names stay
// whole and the values are shared. A file of a training run holds weights,
// moments of the optimiser and counters under a prefix each.
func (f *File) Under(prefix string) *File {
	sub := &File{Header: Header{Name: f.Name, Meta: f.Meta}}
	for i, e := range f.Entries {
		if strings.HasPrefix(e.Name, prefix) {
			sub.Entries = append(sub.Entries, e)
			sub.Arrays = append(sub.Arrays, f.Arrays[i])
		}
	}
	return sub
}

// entry finds an entry of the given type.
func (f *File) entry(name string, d DType) (Entry, error) {
	for i, e := range f.Entries {
		if e.Name != name {
			continue
		}
		if e.DType != d {
			return e, format.InvalidAt(f.Name, f.Arrays[i].Offset, "tensor %q is %s, want %s", name, f.Arrays[i].DType, d)
		}
		return e, nil
	}
	return Entry{}, format.InvalidAt(f.Name, 0, "tensor %q is missing", name)
}

// Tensor returns the entry of the given name as a tensor that shares its values.
func (f *File) Tensor(name string) (*tensor.Tensor, error) {
	e, err := f.entry(name, F32)
	if err != nil {
		return nil, err
	}
	return tensor.Of(e.Float, e.Shape...), nil
}

// Bytes returns the values of a U8 entry.
func (f *File) Bytes(name string) ([]byte, error) {
	e, err := f.entry(name, U8)
	return e.Raw, err
}

// Uint64s returns the values of a U64 entry.
func (f *File) Uint64s(name string) ([]uint64, error) {
	e, err := f.entry(name, U64)
	if err != nil {
		return nil, err
	}
	v := make([]uint64, len(e.Raw)/8)
	for i := range v {
		v[i] = binary.LittleEndian.Uint64(e.Raw[8*i:])
	}
	return v, nil
}

// Int64s returns the values of an I64 entry.
func (f *File) Int64s(name string) ([]int64, error) {
	e, err := f.entry(name, I64)
	if err != nil {
		return nil, err
	}
	v := make([]int64, len(e.Raw)/8)
	for i := range v {
		v[i] = int64(binary.LittleEndian.Uint64(e.Raw[8*i:]))
	}
	return v, nil
}

// Save writes a file, whole or not at all. See Write.
func Save(path string, meta map[string]string, entries []Entry) error {
	return format.WriteFile(path, func(w io.Writer) error { return Write(w, meta, entries) })
}

// Write writes meta and the entries, in their order, as a safetensors file. The
// bytes depend on nothing else. It writes nothing if two entries have one name,
// or if values do not fit their type and shape.
func Write(w io.Writer, meta map[string]string, entries []Entry) error {
	header, err := header(meta, entries)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	buf := make([]byte, 0, chunk)
	for _, e := range entries {
		for values := range slices.Chunk(e.Float, chunk/4) {
			buf = buf[:0]
			for _, v := range values {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
		if len(e.Raw) > 0 {
			if _, err := w.Write(e.Raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// header returns the length and the text of a header. It ends in spaces, so
// that the values begin at a multiple of 8 for readers that map the file.
func header(meta map[string]string, entries []Entry) ([]byte, error) {
	if max(len(entries), len(meta)) > MaxTensors {
		return nil, fmt.Errorf("%d tensors, %d keys: limit %d", len(entries), len(meta), MaxTensors)
	}
	text := &bytes.Buffer{}
	text.Write(make([]byte, 8)) // for the length
	text.WriteByte('{')
	if meta != nil {
		fmt.Fprintf(text, "%q:{", metaKey)
		for i, key := range slices.Sorted(maps.Keys(meta)) {
			if i > 0 {
				text.WriteByte(',')
			}
			if err := quote(text, key); err != nil {
				return nil, err
			}
			text.WriteByte(':')
			if err := quote(text, meta[key]); err != nil {
				return nil, err
			}
		}
		text.WriteByte('}')
	}
	seen := map[string]bool{metaKey: true}
	at := int64(0)
	for i, e := range entries {
		if seen[e.Name] {
			return nil, fmt.Errorf("tensor %q: the name is taken", e.Name)
		}
		seen[e.Name] = true
		if err := e.check(); err != nil {
			return nil, err
		}
		if i > 0 || meta != nil {
			text.WriteByte(',')
		}
		if err := quote(text, e.Name); err != nil {
			return nil, err
		}
		shape, err := json.Marshal(append([]int{}, e.Shape...))
		if err != nil {
			return nil, err
		}
		end := at + int64(4*len(e.Float)+len(e.Raw))
		fmt.Fprintf(text, `:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, e.DType, shape, at, end)
		at = end
	}
	text.WriteByte('}')
	for text.Len()%8 != 0 {
		text.WriteByte(' ')
	}
	b := text.Bytes()
	if len(b)-8 > MaxHeader {
		return nil, fmt.Errorf("header of %d bytes, limit %d", len(b)-8, MaxHeader)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}

// quote writes s as a JSON string. JSON cannot hold what is not UTF-8, and
// encoding/json would silently change it.
func quote(text *bytes.Buffer, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%q is not UTF-8", s)
	}
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	text.Truncate(text.Len() - 1) // Encode ends the line
	return nil
}

// Hash returns the SHA-256 of names, types, shapes and values in hexadecimal
// digits. Two models have the same hash if and only if they have the same
// weights; the order of the entries does not matter. It is the hash of the file
// that Write makes of the entries sorted by name, without metadata.
func Hash(entries []Entry) (string, error) {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	h := sha256.New()
	if err := Write(h, nil, sorted); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
