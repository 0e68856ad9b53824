package ehr

import (
	"maps"
	"slices"
	"strings"
)

// builtinTasks are definitions that come with the program. Their predicates know the
// codes that the imports of this package make.
func builtinTasks() map[string]string {
	const stays = `predicates:
  admission: {code: {regex: "^((HOSPITAL_)?ADMISSION(//.*)?|VISIT_START//(IMP|ACUTE|NONAC|Visit/(IP|ERIP)|OMOP/(9201|262)))$"}}
  discharge: {code: {regex: "^((HOSPITAL_)?DISCHARGE(//.*)?|VISIT_END//(IMP|ACUTE|NONAC|Visit/(IP|ERIP)|OMOP/(9201|262)))$"}}
  death: {code: {regex: "^MEDS_DEATH(//.*)?$"}}
  end_of_stay: {expr: "or(discharge, death)"}
`
	return map[string]string{
		"in_hospital_mortality_48h": `description: Death in the hospital, predicted 48 hours after the admission, of patients who are then alive and in the hospital.
` + stays + `trigger: admission
windows:
  input: {start: NULL, end: trigger + 48h, index_timestamp: end}
  stay: {start: trigger, end: trigger + 48h, start_inclusive: false, has: {end_of_stay: "(None, 0)", admission: "(None, 0)"}}
  target: {start: input.end, end: start -> end_of_stay, start_inclusive: false, label: death}
`,
		"readmission_30d": `description: Admission within 30 days of a discharge alive, predicted at the discharge. Who dies without a readmission counts as negative.
` + stays + `trigger: discharge
windows:
  input: {start: NULL, end: trigger, index_timestamp: end, has: {death: "(None, 0)"}}
  target: {start: trigger, end: trigger + 30 days, start_inclusive: false, label: admission}
`,
		"next_abnormal_lab": `description: Whether the next laboratory values after the first 24 hours of a stay include one that the laboratory flags as abnormal.
` + stays + `  lab: {code: {regex: "^LAB//"}}
  abnormal: {code: {regex: "^LAB_ABNORMAL//"}}
trigger: admission
windows:
  input: {start: NULL, end: trigger + 24h, index_timestamp: end}
  stay: {start: trigger, end: trigger + 24h, start_inclusive: false, has: {end_of_stay: "(None, 0)"}}
  target: {start: input.end, end: start -> lab, start_inclusive: false, label: abnormal}
`,
	}
}

func builtinNames() string {
	return strings.Join(slices.Sorted(maps.Keys(builtinTasks())), ", ")
}
