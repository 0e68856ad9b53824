package bigwig

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// maxName is the greatest length of a chromosome's name.
const maxName = 1 << 10

// chromTree returns the B+ tree that leads from the name of a chromosome to its
// number and size, for a place in the file. Its keys, padded with zeros to one
// length, are sorted; the numbers are those of chroms.
func chromTree(chroms []Chrom, offset int64) []byte {
	sorted := make([]int, len(chroms))
	keySize := 0
	for i, c := range chroms {
		sorted[i] = i
		keySize = max(keySize, len(c.Name))
	}
	slices.SortFunc(sorted, func(i, j int) int { return cmp.Compare(chroms[i].Name, chroms[j].Name) })

	le := binary.LittleEndian
	b := le.AppendUint32(nil, treeMagic)
	b = le.AppendUint32(b, uint32(min(perNode, len(chroms))))
	b = le.AppendUint32(b, uint32(keySize))
	b = le.AppendUint32(b, 8)
	b = le.AppendUint64(b, uint64(len(chroms)))
	b = le.AppendUint64(b, 0)
	for _, level := range plan(len(chroms), offset+int64(len(b)), keySize+8, keySize+8) {
		for n := 0; n < level.items; n++ {
			b = level.begin(b, n)
			item := sorted[n*level.spread]
			b = append(b, chroms[item].Name...)
			b = append(b, strings.Repeat("\x00", keySize-len(chroms[item].Name))...)
			if level.leaf {
				b = le.AppendUint32(b, uint32(item))
				b = le.AppendUint32(b, uint32(chroms[item].Size))
			} else {
				b = le.AppendUint64(b, uint64(level.child(n)))
			}
		}
	}
	return b
}

// writeIndex writes the R-tree over blocks, which are in the order of their
// places. perBlock is a hint for readers.
func (o *output) writeIndex(blocks []extent, perBlock int) {
	le := binary.LittleEndian
	var from, to place
	if len(blocks) > 0 {
		from, to = blocks[0].from, blocks[len(blocks)-1].to
	}
	b := le.AppendUint32(nil, indexMagic)
	b = le.AppendUint32(b, perNode)
	b = le.AppendUint64(b, uint64(len(blocks)))
	b = appendBounds(b, from, to)
	b = le.AppendUint64(b, uint64(o.offset)) // the end of the blocks
	b = le.AppendUint32(b, uint32(perBlock))
	b = le.AppendUint32(b, 0)
	if len(blocks) == 0 {
		o.write(append(b, 1, 0, 0, 0)) // a leaf of no entries
		return
	}
	for _, level := range plan(len(blocks), o.offset+indexHead, branchSize, leafSize) {
		for n := 0; n < level.items; n++ {
			b = level.begin(b, n)
			first := n * level.spread
			last := min(first+level.spread, len(blocks)) - 1
			b = appendBounds(b, blocks[first].from, blocks[last].to)
			if level.leaf {
				b = le.AppendUint64(b, uint64(blocks[n].offset))
				b = le.AppendUint64(b, uint64(blocks[n].size))
			} else {
				b = le.AppendUint64(b, uint64(level.child(n)))
			}
			o.write(b)
			b = b[:0]
		}
	}
}

func appendBounds(b []byte, from, to place) []byte {
	for _, p := range []place{from, to} {
		b = binary.LittleEndian.AppendUint32(b, p.chrom)
		b = binary.LittleEndian.AppendUint32(b, p.base)
	}
	return b
}

// A level is one of the levels of a tree whose nodes are full but for the last.
type level struct {
	items    int   // entries in all nodes
	spread   int   // leaves' entries below one entry: 1 in a leaf
	below    int64 // offset of the first node one level down
	nodeSize int64 // of a full node one level down
	leaf     bool
}

// plan lays out a tree over n > 0 items, from the root down, at offset.
func plan(n int, offset int64, branchSize, leafSize int) []level {
	levels := []level{{items: n, spread: 1, leaf: true}}
	for levels[0].items > perNode {
		up := level{items: (levels[0].items + perNode - 1) / perNode, spread: levels[0].spread * perNode}
		levels = append([]level{up}, levels...)
	}
	for i := range levels {
		l := &levels[i]
		size := branchSize
		if l.leaf {
			size = leafSize
		}
		nodes := (l.items + perNode - 1) / perNode
		offset += int64(nodes)*4 + int64(l.items)*int64(size)
		if !l.leaf {
			if i+1 == len(levels)-1 {
				size = leafSize
			}
			l.below, l.nodeSize = offset, 4+perNode*int64(size)
		}
	}
	return levels
}

// begin appends the head of a node if entry n is its first.
func (l *level) begin(b []byte, n int) []byte {
	if n%perNode != 0 {
		return b
	}
	leaf := byte(0)
	if l.leaf {
		leaf = 1
	}
	b = append(b, leaf, 0)
	return binary.LittleEndian.AppendUint16(b, uint16(min(perNode, l.items-n)))
}

// child returns the offset of the node below entry n.
func (l *level) child(n int) int64 { return l.below + int64(n)*l.nodeSize }
