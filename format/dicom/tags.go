package dicom

// Attributes that are read.
const (
	tagSOPClass          Tag = 0x00080016
	tagSOPInstance       Tag = 0x00080018
	tagImageType         Tag = 0x00080008
	tagStudyDate         Tag = 0x00080020
	tagContentDate       Tag = 0x00080023
	tagStudyTime         Tag = 0x00080030
	tagContentTime       Tag = 0x00080033
	tagModality          Tag = 0x00080060
	tagPatientName       Tag = 0x00100010
	tagPatientID         Tag = 0x00100020
	tagBodyPart          Tag = 0x00180015
	tagTilt              Tag = 0x00181120
	tagStudy             Tag = 0x0020000D
	tagSeries            Tag = 0x0020000E
	tagAcquisition       Tag = 0x00200012
	tagInstance          Tag = 0x00200013
	tagPosition          Tag = 0x00200032
	tagOrientation       Tag = 0x00200037
	tagFrameOfReference  Tag = 0x00200052
	tagSamples           Tag = 0x00280002
	tagPhotometric       Tag = 0x00280004
	tagFrames            Tag = 0x00280008
	tagRows              Tag = 0x00280010
	tagColumns           Tag = 0x00280011
	tagPixelSpacing      Tag = 0x00280030
	tagBitsAllocated     Tag = 0x00280100
	tagBitsStored        Tag = 0x00280101
	tagHighBit           Tag = 0x00280102
	tagRepresentation    Tag = 0x00280103
	tagPadding           Tag = 0x00280120
	tagBurnedIn          Tag = 0x00280301
	tagIntercept         Tag = 0x00281052
	tagSlope             Tag = 0x00281053
	tagRescaleType       Tag = 0x00281054
	tagPositionSequence  Tag = 0x00209113
	tagOrientSequence    Tag = 0x00209116
	tagMeasuresSequence  Tag = 0x00289110
	tagTransformSequence Tag = 0x00289145
	tagShared            Tag = 0x52009229
	tagPerFrame          Tag = 0x52009230
	tagFloatPixels       Tag = 0x7FE00008
	tagDoublePixels      Tag = 0x7FE00009
	tagPixels            Tag = 0x7FE00010
	tagItem              Tag = 0xFFFEE000
	tagItemEnd           Tag = 0xFFFEE00D
	tagSequenceEnd       Tag = 0xFFFEE0DD
)

// A syntax is how a file is coded.
type syntax struct {
	uid, name string
	pixels    string // "plain", "rle", "jpeg", "lossless", "" for what is not decoded
}

// syntaxes are the transfer syntaxes of PS3.6, table A-1, that images have.
var syntaxes = []syntax{
	{"1.2.840.10008.1.2", "Implicit VR Little Endian", "plain"},
	{"1.2.840.10008.1.2.1", "Explicit VR Little Endian", "plain"},
	{"1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", "plain"},
	{"1.2.840.10008.1.2.2", "Explicit VR Big Endian", "plain"},
	{"1.2.840.10008.1.2.5", "RLE Lossless", "rle"},
	{"1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", "jpeg"},
	{"1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", "jpeg"},
	{"1.2.840.10008.1.2.4.57", "JPEG Lossless (Process 14)", "lossless"},
	{"1.2.840.10008.1.2.4.70", "JPEG Lossless (Process 14, Selection Value 1)", "lossless"},
	{"1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", ""},
	{"1.2.840.10008.1.2.4.81", "JPEG-LS Near-lossless", ""},
	{"1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless", ""},
	{"1.2.840.10008.1.2.4.91", "JPEG 2000", ""},
	{"1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Lossless", ""},
	{"1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2", ""},
	{"1.2.840.10008.1.2.4.100", "MPEG-2 Main Profile", ""},
	{"1.2.840.10008.1.2.4.102", "MPEG-4 High Profile", ""},
	{"1.2.840.10008.1.2.4.110", "JPEG XL Lossless", ""},
	{"1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", ""},
	{"1.2.840.10008.1.2.4.112", "JPEG XL", ""},
	{"1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless", ""},
	{"1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 Lossless RPCL", ""},
	{"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", ""},
}

const (
	implicitLittle = "1.2.840.10008.1.2"
	explicitLittle = "1.2.840.10008.1.2.1"
	deflatedLittle = "1.2.840.10008.1.2.1.99"
	explicitBig    = "1.2.840.10008.1.2.2"
)

// SyntaxName returns the name of a transfer syntax, its UID if it is not known.
func SyntaxName(uid string) string { return syntaxOf(uid).name }

func syntaxOf(uid string) syntax {
	for _, s := range syntaxes {
		if s.uid == uid {
			return s
		}
	}
	for _, r := range uid {
		if r != '.' && (r < '0' || r > '9') {
			return syntax{uid, "a syntax that has no UID", ""}
		}
	}
	return syntax{uid, uid, ""}
}
