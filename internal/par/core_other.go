//go:build !linux

package par

func core() int { return -1 }

func leave(int) {}
