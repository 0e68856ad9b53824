package dicom

import "slices"

// scrubbed returns a fragment of compressed pixels with its comments and application
// segments emptied, nil if it has none that say anything. It knows the segments of
// JPEG and JPEG-LS, and of JPEG 2000.
func scrubbed(b []byte) []byte {
	if len(b) < 4 || b[0] != 0xff {
		return nil
	}
	free := func(marker byte) bool { // APP1 to 15 but for Adobe's, which says how colours are coded
		return marker == 0xfe || marker > 0xe0 && marker <= 0xef && marker != 0xee && marker != 0xe8
	}
	end := byte(0xda) // of the header: start of scan
	switch b[1] {
	case 0xd8:
	case 0x4f:
		free = func(marker byte) bool { return marker == 0x64 }
		end = 0x90 // start of tile
	default:
		return nil
	}
	var out []byte
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker := b[at+1]
		if marker == 0xff { // fill
			at++
			continue
		}
		if marker == end {
			break
		}
		n := int(b[at+2])<<8 | int(b[at+3])
		if n < 2 || at+2+n > len(b) {
			break
		}
		if body := b[at+4 : at+2+n]; free(marker) && slices.ContainsFunc(body, func(v byte) bool { return v != 0 }) {
			if out == nil {
				out = slices.Clone(b)
			}
			from := at + 4
			if marker == 0x64 && n >= 4 { // what kind of comment it is
				from += 2
			}
			clear(out[from : at+2+n])
		}
		at += 2 + n
	}
	if slices.Equal(out, b) {
		return nil
	}
	return out
}
