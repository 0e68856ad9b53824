// Package ehr is the noun "ehr" of the command line: timelines of patients in,
// predictions with their evidence out.
//
// A source gives cases (a patient, a time, what was known until then, what came of
// it); model/timeline is trained on some patients, tuned on others and measured on
// others again, beside simple floors. Whatever is written says that it is for
// research only.
package ehr
