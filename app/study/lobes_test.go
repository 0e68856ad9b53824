package study

import (
	"context"
	"os"
	"strconv"
	"testing"
)

func TestLobesTune(t *testing.T) {
	name := os.Getenv("LOBES_TASK")
	if name == "" {
		t.Skip()
	}
	total, _ := strconv.Atoi(os.Getenv("LOBES_N"))
	which, _ := strconv.Atoi(os.Getenv("LOBES_READER"))
	a := phantom()
	t.Log(len(a.twins))
	for _, k := range lobeTasks() {
		if k.name == name {
			l := &Lab{Cores: 1, Tell: func(s string) { println(s) }}
			f, err := l.fitReader(context.Background(), readers()[which], a, &k, total, 1)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(f.params, f.seen, f.took)
		}
	}
}
