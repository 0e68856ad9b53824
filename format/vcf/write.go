package vcf

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteHeader writes the lines of a header, each beginning with "##", and the
// line of the columns. The first must be the version of the format, as it is in
// the Header of a [Reader].
func WriteHeader(w io.Writer, header []string) error {
	var b strings.Builder
	for i, line := range header {
		if !strings.HasPrefix(line, "##") || control(line) >= 0 || i == 0 && !strings.HasPrefix(line, "##fileformat=VCFv4.") {
			return fmt.Errorf("vcf: %s is no line %d of a header", show(line), i+1)
		}
		b.WriteString(line + "\n")
	}
	if len(header) == 0 {
		return fmt.Errorf("vcf: header is empty")
	}
	b.WriteString(columns + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Write writes one record, without samples. It calls w.Write once. What a
// [Reader] could not read back is refused.
func Write(w io.Writer, rec Record) error {
	text := strings.Join([]string{rec.Chrom, strconv.Itoa(rec.Pos), rec.ID, rec.Ref,
		strings.Join(rec.Alts, ","), rec.Qual, rec.Filter, rec.Info}, "\t")
	if back, err := parse(text); err != nil {
		return fmt.Errorf("vcf: %w", err)
	} else if strings.Count(text, "\t") != 7 || len(back.Alts) != len(rec.Alts) {
		return fmt.Errorf("vcf: %s does not read back", show(text))
	}
	_, err := io.WriteString(w, text+"\n")
	return err
}

// SetInfo returns info with a field set to a value, in the place of one that it
// had before.
func SetInfo(info, key, value string) string {
	var out []string
	for _, field := range strings.Split(info, ";") {
		if name, _, _ := strings.Cut(field, "="); name != key && field != "." && field != "" {
			out = append(out, field)
		}
	}
	return strings.Join(append(out, key+"="+value), ";")
}
