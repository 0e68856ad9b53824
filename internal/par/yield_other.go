//go:build !linux

package par

func yieldCore() {}
