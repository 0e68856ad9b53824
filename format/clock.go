package format

import "errors"

// A Precision says how much of a time was written.
type Precision int

// Precisions of a time.
const (
	Year Precision = iota + 1
	Month
	Day
	Minute // or better
)

// A Stamp is a point in time as a text gives it.
type Stamp struct {
	Micros    int64 // since 1970-01-01 00:00: in UTC if Zone, otherwise on the clock of whoever wrote it
	Precision Precision
	Zone      bool // a zone was given
}

// ErrTime is what ParseTime returns for anything that is no time. It does not repeat
// the text, which may be that of a patient.
var ErrTime = errors.New("not a time")

const dayMicros = 86400 * 1_000_000

// ParseTime reads a time as in ISO 8601, databases and FHIR: 2024, 2024-03, 2024-03-01,
// 20240301, 2024-03-01 10:30, 2024-03-01T10:30:05.25Z, ...+01:00. Parts that are
// missing are the first of their kind. Years go from 1 to 9999; dates must exist.
func ParseTime(s string) (Stamp, error) {
	y, ok := digits(s, 0, 4)
	if !ok || y == 0 {
		return Stamp{}, ErrTime
	}
	st := Stamp{Precision: Year}
	m, d := 1, 1
	s = s[4:]
	switch {
	case s == "":
	case s[0] == '-':
		if m, ok = digits(s, 1, 2); !ok {
			return Stamp{}, ErrTime
		}
		st.Precision = Month
		if s = s[3:]; s == "" {
			break
		}
		if d, ok = digits(s, 1, 2); !ok || s[0] != '-' {
			return Stamp{}, ErrTime
		}
		st.Precision = Day
		s = s[3:]
	default:
		var ok2 bool
		m, ok = digits(s, 0, 2)
		if d, ok2 = digits(s, 2, 2); !ok || !ok2 {
			return Stamp{}, ErrTime
		}
		st.Precision = Day
		s = s[4:]
	}
	if m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return Stamp{}, ErrTime
	}
	st.Micros = civil(y, m, d) * dayMicros
	if s == "" {
		return st, nil
	}
	if st.Precision != Day || s[0] != 'T' && s[0] != ' ' {
		return Stamp{}, ErrTime
	}
	return clock(st, s[1:])
}

// clock reads the time of the day and the zone.
func clock(st Stamp, s string) (Stamp, error) {
	h, ok := digits(s, 0, 2)
	mi, ok2 := digits(s, 3, 2)
	if !ok || !ok2 || s[2] != ':' || h > 23 || mi > 59 {
		return Stamp{}, ErrTime
	}
	st.Precision = Minute
	micros := int64(h*3600+mi*60) * 1_000_000
	if s = s[5:]; s != "" && s[0] == ':' {
		sec, ok := digits(s, 1, 2)
		if !ok || sec > 60 { // a leap second is the start of the next minute
			return Stamp{}, ErrTime
		}
		micros += int64(sec) * 1_000_000
		if s = s[3:]; s != "" && (s[0] == '.' || s[0] == ',') {
			unit, n := int64(100_000), 0
			for s = s[1:]; s != "" && s[0] >= '0' && s[0] <= '9'; s = s[1:] {
				micros += int64(s[0]-'0') * unit
				unit /= 10
				n++
			}
			if n == 0 {
				return Stamp{}, ErrTime
			}
		}
	}
	st.Micros += micros
	if s != "" && s[0] == ' ' && len(s) > 1 {
		s = s[1:]
	}
	switch {
	case s == "":
		return st, nil
	case s == "Z" || s == "z" || s == "UTC":
		st.Zone = true
		return st, nil
	case s[0] != '+' && s[0] != '-':
		return Stamp{}, ErrTime
	}
	offset, ok := zone(s)
	if !ok {
		return Stamp{}, ErrTime
	}
	st.Zone = true
	st.Micros -= offset
	return st, nil
}

// zone reads +01:00, +0100 or +01.
func zone(s string) (micros int64, ok bool) {
	h, ok := digits(s, 1, 2)
	mi := 0
	switch {
	case !ok || h > 15:
		return 0, false
	case len(s) == 6 && s[3] == ':':
		mi, ok = digits(s, 4, 2)
	case len(s) == 5:
		mi, ok = digits(s, 3, 2)
	case len(s) != 3:
		return 0, false
	}
	if !ok || mi > 59 {
		return 0, false
	}
	micros = int64(h*3600+mi*60) * 1_000_000
	if s[0] == '-' {
		micros = -micros
	}
	return micros, true
}

// digits reads n digits of s from i.
func digits(s string, i, n int) (v int, ok bool) {
	if len(s) < i+n {
		return 0, false
	}
	for _, c := range []byte(s[i : i+n]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func monthDays(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// civil returns the days from 1970-01-01 to a date of the Gregorian calendar. Counting
// years from March puts the leap day at the end, where it moves no other day.
func civil(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	days := 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 1
	return int64(days - 719468)
}
