package cli

import "testing"

func TestBytes(t *testing.T) {
	for text, want := range map[string]Bytes{"0": 0, "2GB": 2e9, "1.5 GiB": 3 << 29, "500MiB": 500 << 20, "64k": 64e3, "1000": 1000, "7B": 7} {
		var b Bytes
		if err := b.Set(text); err != nil || b != want {
			t.Errorf("%q: %d, %v, want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"GB", "2 parsecs", "-1GB", "", "0.5", "1e30GB", "2GiBB", "NaN"} {
		b := Bytes(3)
		if err := b.Set(text); err == nil || b != 3 {
			t.Errorf("%q was taken: %d", text, b)
		}
	}
	for b, want := range map[Bytes]string{0: "0", 512e6: "512.0 MB", 8e9: "8.00 GB", 64e3: "64.0 kB"} {
		if b.String() != want {
			t.Errorf("%d is %q, want %q", b, b.String(), want)
		}
		var again Bytes
		if err := again.Set(b.String()); err != nil || again != b {
			t.Errorf("%q reads as %d, %v", b.String(), again, err)
		}
	}
}
