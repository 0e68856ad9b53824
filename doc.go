// Package heed is the root of a program and a set of packages that train, run
// and explain multi-head-attention models on scientific data. The program is
// cmd/heed. It holds no code; docs/architecture.md says what lies where.
package heed
