//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// A peer is a running process of openblas/openblas.c.
type peer struct {
	core, config string
	clock        int32 // as clock_gettime numbers them
	cmd          *exec.Cmd
	in           io.WriteCloser
	out          *bufio.Reader
}

// start runs program with the kernels of core. What the environment says
// about OpenBLAS does not count.
func start(program, core string, threads int, clock int32) (*peer, error) {
	p := &peer{core: core, clock: clock, cmd: exec.Command(program, strconv.Itoa(threads), strconv.Itoa(int(clock)))}
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool {
		return strings.HasPrefix(s, "OPENBLAS_") || strings.HasPrefix(s, "OMP_") || strings.HasPrefix(s, "GOTO_")
	})
	if core != "" {
		p.cmd.Env = append(p.cmd.Env, "OPENBLAS_CORETYPE="+core)
	}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if p.config, err = p.out.ReadString('\n'); err != nil {
		p.stop()
		return nil, fmt.Errorf("openblas: %w", err)
	}
	p.config = strings.TrimSpace(p.config)
	return p, nil
}

// stop ends the process.
func (p *peer) stop() {
	p.in.Close()
	p.cmd.Wait()
}

// time returns the nanoseconds per product of groups groups of inner products.
func (p *peer) time(s shape, inner, groups int) ([]float64, error) {
	if _, err := fmt.Fprintln(p.in, s.form, s.m, s.n, s.k, inner, groups); err != nil {
		return nil, fmt.Errorf("openblas: %w", err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("openblas: %w", err)
	}
	fields := strings.Fields(line)
	if len(fields) != groups+1 {
		return nil, fmt.Errorf("openblas answered %q", line)
	}
	numbers := make([]float64, len(fields))
	for i, f := range fields {
		if numbers[i], err = strconv.ParseFloat(f, 64); err != nil {
			return nil, fmt.Errorf("openblas answered %q", line)
		}
	}
	if !(numbers[0] < 1e-6) {
		return nil, fmt.Errorf("openblas computed a wrong product: relative error %g", numbers[0])
	}
	for i := range numbers {
		numbers[i] /= float64(inner)
	}
	return numbers[1:], nil
}
