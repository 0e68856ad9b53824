package format

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2024":                                "2024-01-01T00:00:00Z year",
		"2024-03":                             "2024-03-01T00:00:00Z month",
		"2024-02-29":                          "2024-02-29T00:00:00Z day",
		"20240229":                            "2024-02-29T00:00:00Z day",
		"2024-02-29 23:59":                    "2024-02-29T23:59:00Z minute",
		"1899-12-31T10:20:30":                 "1899-12-31T10:20:30Z minute",
		"2024-03-01T10:30:05.25Z":             "2024-03-01T10:30:05.25Z minute zone",
		"2024-03-01T10:30:05+01:00":           "2024-03-01T09:30:05Z minute zone",
		"2024-03-01 10:30:05.123456789 -0530": "2024-03-01T16:00:05.123456Z minute zone",
		"2024-03-01 10:30:60 UTC":             "2024-03-01T10:31:00Z minute zone",
		"2024-03-01 10:30+02":                 "2024-03-01T08:30:00Z minute zone",
	} {
		st, err := ParseTime(text)
		got := time.UnixMicro(st.Micros).UTC().Format(time.RFC3339Nano) + " " + [...]string{"", "year", "month", "day", "minute"}[st.Precision]
		if st.Zone {
			got += " zone"
		}
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "24", "2023-02-29", "2024-13-01", "2024-00-10", "2024-1-1", "0000-01-01", "2024-01-01T", "2024-01-01T24:00", "2024-01-01T10:60", "2024-01-01T10:00:61",
		"2024-01-01T10:00:00.", "2024-01-01T10:00:00x", "2024-01-01T10:00:00+1", "2024-01-01T10:00+01:60", "2024-01T10:00", "01/02/2024", "2024-01-01T10", "٢٠٢٤"} {
		if st, err := ParseTime(text); err != ErrTime {
			t.Errorf("%s: got %v, %v", text, st, err)
		}
	}
}

// Every day agrees with package time.
func TestParseTimeAgainstPackageTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		want := time.Unix(rng.Int64N(9999*31556952)-62135596800, 0).UTC()
		st, err := ParseTime(want.Format("2006-01-02 15:04:05"))
		if err != nil || st.Micros != want.UnixMicro() {
			t.Fatalf("%v: got %d, %v", want, st.Micros, err)
		}
	}
}
