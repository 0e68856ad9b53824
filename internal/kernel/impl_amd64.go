//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

func available() []Impl {
	impls := []Impl{Generic}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		impls = append(impls, AVX2)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL {
			impls = append(impls, AVX512)
		}
	}
	return impls
}
