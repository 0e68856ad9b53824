# The targets that people use; .ci/run calls the same commands.
.PHONY: build test race purego fuzz bench generate lint release

build:
	CGO_ENABLED=0 go build -trimpath -o bin/heed ./cmd/heed

test:
	go test ./...

race:
	go test -race ./internal/par ./autograd ./train ./app/...

purego:
	go test -tags purego ./internal/... ./autograd ./nn ./optim ./train ./model/...

fuzz:
	go test -run '^$$' -fuzz FuzzRecords -fuzztime 20s ./format/fasta
	go test -run '^$$' -fuzz FuzzRead -fuzztime 20s ./checkpoint
	go test -run '^$$' -fuzz FuzzMul -fuzztime 20s ./internal/kernel

# Races against peers; needs gcc, OpenBLAS and PyTorch (see bench/README.md).
bench:
	go run ./bench/gemm
	go run ./bench/step -cores 1
	go run ./bench/step -cores 2

generate:
	go generate ./internal/kernel ./report

lint:
	test -z "$$(gofmt -l .)"
	go vet ./...
	GOARCH=arm64 go vet ./...
	go vet -tags purego ./...

release:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -buildid=" -o bin/heed ./cmd/heed
	sha256sum bin/heed
