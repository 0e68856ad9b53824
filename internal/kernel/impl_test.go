package kernel

import "testing"

func TestChooseImpl(t *testing.T) {
	some, all := []Impl{Generic, AVX2}, []Impl{Generic, AVX2, AVX512}
	for _, c := range []struct {
		name  string
		avail []Impl
		want  Impl
		err   string
	}{
		{"", all, AVX512, ""},
		{"", some, AVX2, ""},
		{"", []Impl{Generic}, Generic, ""},
		{"generic", all, Generic, ""},
		{"avx2", all, AVX2, ""},
		{"avx512", all, AVX512, ""},
		{"avx512", some, AVX2, "HEED_KERNEL=avx512: this machine has generic, avx2 only"},
		{"avx2", []Impl{Generic}, Generic, "HEED_KERNEL=avx2: this machine has generic only"},
		{"sse", some, AVX2, "HEED_KERNEL=sse: want one of generic, avx2, avx512"},
		{"AVX2", some, AVX2, "HEED_KERNEL=AVX2: want one of generic, avx2, avx512"},
	} {
		got, err := chooseImpl(c.name, c.avail)
		if got != c.want {
			t.Errorf("HEED_KERNEL=%q with %v: got %v, want %v", c.name, c.avail, got, c.want)
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != c.err {
			t.Errorf("HEED_KERNEL=%q with %v: error %q, want %q", c.name, c.avail, text, c.err)
		}
	}
}

func TestForce(t *testing.T) {
	before := Active()
	for _, m := range Available() {
		restore := Force(m)
		if Active() != m {
			t.Errorf("Force(%v): Active is %v", m, Active())
		}
		restore()
		if Active() != before {
			t.Errorf("restore after Force(%v): Active is %v, want %v", m, Active(), before)
		}
	}
}

func TestForceUnavailable(t *testing.T) {
	defer func() {
		if got, want := recover(), "kernel.Force: Impl(9) is not available on this machine"; got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	Force(Impl(9))
}
