package torch

import (
	"archive/zip"
	"errors"
	"hash/crc32"
	"maps"
	"slices"
	"strings"

	"heed/format"
)

// readZip reads the layout since PyTorch 1.6. The folder in the archive has the
// name of the file when it was saved, or "archive".
func (f *File) readZip() error {
	z, err := zip.NewReader(f.r, f.size)
	switch {
	case errors.Is(err, zip.ErrFormat):
		return format.InvalidAt(f.Name, 0, "the directory at the end of the zip archive is missing or damaged: is the file cut off?")
	case errors.Is(err, zip.ErrAlgorithm), err != nil && z == nil:
		return format.InvalidAt(f.Name, 0, "zip archive: %v", err)
	}
	if len(z.File) > MaxEntries {
		return format.TooLargeAt(f.Name, 0, "zip archive of %d entries, limit %d", len(z.File), MaxEntries)
	}
	entries := make(map[string]*zip.File, len(z.File))
	var pickle *zip.File
	folder := ""
	for _, e := range z.File {
		if entries[e.Name] != nil {
			return format.InvalidAt(f.Name, 0, "zip archive has %q twice", e.Name)
		}
		entries[e.Name] = e
		if e.Name == "data.pkl" || strings.HasSuffix(e.Name, "/data.pkl") && strings.Count(e.Name, "/") == 1 {
			if pickle != nil {
				return format.InvalidAt(f.Name, 0, "zip archive has both %q and %q", pickle.Name, e.Name)
			}
			pickle, folder = e, strings.TrimSuffix(e.Name, "data.pkl")
		}
	}
	switch {
	case pickle == nil:
		return format.InvalidAt(f.Name, 0, "zip archive without data.pkl: not a file of PyTorch")
	case entries[folder+"constants.pkl"] != nil:
		return format.UnsupportedAt(f.Name, 0, "a TorchScript program; save its state_dict instead")
	}
	if e := entries[folder+"byteorder"]; e != nil {
		order, err := f.entry(e, 16)
		if err != nil {
			return err
		}
		if string(order) != "little" {
			return format.UnsupportedAt(f.Name, 0, "byte order %q", order)
		}
	}
	text, err := f.entry(pickle, MaxPickle)
	if err != nil {
		return err
	}
	at, _ := pickle.DataOffset()
	m := &machine{name: f.Name, base: at, code: text, storages: f.storages}
	if f.Root, err = m.run(); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(f.storages)) {
		s := f.storages[key]
		e := entries[folder+"data/"+key]
		if e == nil {
			return format.InvalidAt(f.Name, s.at, "storage %q is not in the zip archive", key)
		}
		if err := f.stored(e); err != nil {
			return err
		}
		if s.offset, err = e.DataOffset(); err != nil {
			return format.InvalidAt(f.Name, s.at, "%s: %v", e.Name, err)
		}
		if want := s.count * int64(s.dtype.Size()); int64(e.UncompressedSize64) != want {
			return format.InvalidAt(f.Name, s.offset, "%s: %d bytes, %d values of %s take %d", e.Name, e.UncompressedSize64, s.count, s.dtype, want)
		}
		s.crc, s.checked = e.CRC32, true
	}
	return nil
}

// stored checks that the bytes of an entry lie in the file as they are.
func (f *File) stored(e *zip.File) error {
	at, err := e.DataOffset()
	switch {
	case err != nil:
		return format.InvalidAt(f.Name, 0, "%s: damaged entry of the zip archive: %v", e.Name, err)
	case e.Method != zip.Store || e.Flags&1 != 0:
		return format.UnsupportedAt(f.Name, at, "%s is compressed or encrypted; PyTorch stores its entries plainly", e.Name)
	case e.CompressedSize64 != e.UncompressedSize64:
		return format.InvalidAt(f.Name, at, "%s: %d bytes stored as %d", e.Name, e.UncompressedSize64, e.CompressedSize64)
	case e.UncompressedSize64 > uint64(f.size-at):
		return format.InvalidAt(f.Name, at, "%s: %d bytes, the file has only %d more", e.Name, e.UncompressedSize64, f.size-at)
	}
	return nil
}

// entry reads a small entry whole.
func (f *File) entry(e *zip.File, limit uint64) ([]byte, error) {
	if err := f.stored(e); err != nil {
		return nil, err
	}
	at, _ := e.DataOffset()
	if e.UncompressedSize64 > limit {
		return nil, format.TooLargeAt(f.Name, at, "%s: %d bytes, limit %d", e.Name, e.UncompressedSize64, limit)
	}
	b := make([]byte, e.UncompressedSize64)
	if err := f.readAt(b, at); err != nil {
		return nil, err
	}
	if got := crc32.ChecksumIEEE(b); got != e.CRC32 {
		return nil, format.InvalidAt(f.Name, at, "%s: checksum %08x, the zip archive says %08x", e.Name, got, e.CRC32)
	}
	return b, nil
}
