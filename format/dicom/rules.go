package dicom

// rule returns what becomes of an element, and why: the first that applies of the
// list below, of groups, and of value representations.
func (d *deidentifier) rule(e *Element) (Action, string) {
	t := e.Tag
	if t.Private() {
		return Remove, "private attribute"
	}
	vr, keyword := Lookup(t)
	if keyword == "" {
		return Remove, "not in the standard's dictionary"
	}
	for _, r := range rules {
		if r.tag == t {
			return r.action, r.reason
		}
	}
	switch g := t.group(); {
	case g == 0x0010:
		return Remove, "about the patient"
	case g == 0x0032 || g == 0x0038 || g == 0x4008:
		return Remove, "about the order, the visit or the report"
	case g == 0x0040 && t < 0x00409000 && t != 0x004008EA:
		return Remove, "about the procedure"
	case g == 0x0012:
		return Remove, "about a clinical trial"
	case g == 0x0016:
		return Remove, "how and where a photograph was taken"
	case g == 0x0034:
		return Remove, "flows of real-time video"
	case g == 0x0070 || g == 0x0400 || g == 0x4FFE || g == 0xFFFA || g == 0x0042:
		return Remove, "annotations, documents and signatures"
	case g&0xff00 == 0x5000 || g&0xff00 == 0x6000:
		return Remove, "curves and overlays"
	}
	words := func(s string) bool { return s == "US" || s == "SS" || s == "OB" || s == "OW" }
	if vr != e.VR && !(words(vr) && words(e.VR)) {
		return Remove, "another value representation than the standard's"
	}
	switch vr {
	case "UI":
		return Replace, "UID"
	case "DA", "DT":
		switch {
		case d.ShiftDates:
			return Shift, "date"
		case t == tagStudyDate || t == tagContentDate:
			return Empty, mustBe
		}
		return Remove, "date"
	case "TM":
		switch {
		case d.ShiftDates:
			return Keep, "time, its date being shifted"
		case t == tagStudyTime || t == tagContentTime:
			return Empty, mustBe
		}
		return Remove, "time"
	case "SQ":
		return Keep, "sequence, each attribute by its own rule"
	case "CS", "AT", "DS", "IS", "FL", "FD", "SL", "SS", "UL", "US", "SV", "UV":
		return Keep, "number or code"
	case "OB", "OW", "OF", "OD", "OL", "OV":
		if t == tagPixels || t.group() == 0x0028 {
			return Keep, "pixels and their tables"
		}
		return Remove, "bytes of unknown content"
	}
	return Remove, "text (" + vr + ") that is not on the list of what is kept"
}

const (
	mustBe  = "must be present, may be empty"
	kept    = "on the list of text that is kept"
	person  = "about people"
	place   = "about the place"
	device  = "identifies the device"
	links   = "links to other records"
	content = "free content"
)

// rules are those for single attributes: of PS3.15, table E.1-1, what the groups and
// the value representations would not settle in the same way, and what is kept
// although it is text.
var rules = []struct {
	tag    Tag
	action Action
	reason string
}{
	{tagSOPClass, Keep, "kind of object"},
	{0x00080005, Keep, "character set"},
	// Type 2 of the composite IODs: empty, so that the object stays valid.
	{tagPatientName, Dummy, "pseudonym"},
	{tagPatientID, Dummy, "pseudonym"},
	{0x00100030, Empty, mustBe}, // PatientBirthDate
	{0x00100040, Empty, mustBe}, // PatientSex
	{0x00080050, Empty, mustBe}, // AccessionNumber
	{0x00080090, Empty, mustBe}, // ReferringPhysicianName
	{0x00200010, Empty, mustBe}, // StudyID
	{0x00180010, Empty, mustBe}, // ContrastBolusAgent
	// Removed although their value representation would let them be kept.
	{0x00080015, Remove, "time"},                                   // InstanceCoercionDateTime
	{0x00080082, Remove, place},                                    // InstitutionCodeSequence
	{0x00080096, Remove, person},                                   // ReferringPhysicianIdentificationSequence
	{0x0008009D, Remove, person},                                   // ConsultingPhysicianIdentificationSequence
	{0x00080051, Remove, links},                                    // IssuerOfAccessionNumberSequence
	{0x00081041, Remove, place},                                    // InstitutionalDepartmentTypeCodeSequence
	{0x00081049, Remove, person},                                   // PhysiciansOfRecordIdentificationSequence
	{0x00081052, Remove, person},                                   // PerformingPhysicianIdentificationSequence
	{0x00081062, Remove, person},                                   // PhysiciansReadingStudyIdentificationSequence
	{0x00081072, Remove, person},                                   // OperatorIdentificationSequence
	{0x00081084, Remove, "about the patient"},                      // AdmittingDiagnosesCodeSequence
	{0x00081032, Remove, content},                                  // ProcedureCodeSequence
	{0x00081110, Remove, links},                                    // ReferencedStudySequence
	{0x00081111, Remove, links},                                    // ReferencedPerformedProcedureStepSequence
	{0x00081120, Remove, links},                                    // ReferencedPatientSequence
	{0x00081125, Remove, links},                                    // ReferencedVisitSequence
	{0x0008114A, Remove, links},                                    // ReferencedInstanceSequence
	{0x00081198, Remove, links},                                    // FailedSOPSequence
	{0x0008114B, Remove, links},                                    // ReferencedRealWorldValueMappingInstanceSequence
	{0x00089092, Remove, content},                                  // ReferencedImageEvidenceSequence
	{0x00089154, Remove, content},                                  // SourceImageEvidenceSequence
	{0x00080201, Remove, "time"},                                   // TimezoneOffsetFromUTC
	{0x00185011, Remove, device},                                   // TransducerIdentificationSequence
	{0x00203401, Remove, device},                                   // ModifyingDeviceID
	{0x0040A073, Remove, person},                                   // VerifyingObserverSequence
	{0x0040A078, Remove, person},                                   // AuthorObserverSequence
	{0x0040A07A, Remove, person},                                   // ParticipantSequence
	{0x0040A07C, Remove, person},                                   // CustodialOrganizationSequence
	{0x0040A088, Remove, person},                                   // VerifyingObserverIdentificationCodeSequence
	{0x0040A358, Remove, person},                                   // VerbalSourceIdentifierCodeSequenceTrial
	{0x0040A730, Remove, content},                                  // ContentSequence
	{0x30100081, Remove, content},                                  // PrescriptionNotesSequence
	{0x00181000, Remove, device},                                   // DeviceSerialNumber
	{0x0018100A, Remove, device},                                   // UDISequence
	{0x0018A001, Remove, links},                                    // ContributingEquipmentSequence
	{0x00189185, Remove, content},                                  // RespiratoryMotionCompensationTechniqueDescription
	{0x00189424, Remove, content},                                  // AcquisitionProtocolDescription
	{0x00180026, Remove, content},                                  // InterventionDrugInformationSequence
	{0x00181078, Remove, "time"},                                   // RadiopharmaceuticalStartDateTime
	{0x00181079, Remove, "time"},                                   // RadiopharmaceuticalStopDateTime
	{0x00200200, Replace, "UID"},                                   // SynchronizationFrameOfReferenceUID
	{0x00281199, Replace, "UID"},                                   // PaletteColorLookupTableUID
	{0x00880140, Replace, "UID"},                                   // StorageMediaFileSetUID
	{0x00880200, Remove, "pixels of an icon"},                      // IconImageSequence
	{0x30060024, Replace, "UID"},                                   // ReferencedFrameOfReferenceUID
	{0x300A0013, Replace, "UID"},                                   // DoseReferenceUID
	{0x00409096, Keep, "sequence, each attribute by its own rule"}, // RealWorldValueMappingSequence
	// Text that is kept: what the images cannot be understood without.
	{0x00080070, Keep, kept},                  // Manufacturer
	{0x00081090, Keep, kept},                  // ManufacturerModelName
	{0x00080100, Keep, kept},                  // CodeValue
	{0x00080102, Keep, kept},                  // CodingSchemeDesignator
	{0x00080103, Keep, kept},                  // CodingSchemeVersion
	{0x00080104, Dummy, "text beside a code"}, // CodeMeaning
	{0x00181160, Keep, kept},                  // FilterType
	{0x00181210, Keep, kept},                  // ConvolutionKernel
	{0x00189315, Keep, kept},                  // ReconstructionAlgorithm
	{0x00189316, Keep, kept},                  // ConvolutionKernelGroup
	{0x00281054, Keep, kept},                  // RescaleType
	{0x00281055, Remove, content},             // WindowCenterWidthExplanation
	{0x00283003, Keep, kept},                  // LUTExplanation
	{0x00409210, Keep, kept},                  // LUTLabel
}
