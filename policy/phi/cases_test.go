package phi_test

import (
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/phi"
)

// spread puts a space between all letters of the words.
func spread(words ...string) string {
	for i, w := range words {
		words[i] = strings.Join(strings.Split(w, ""), " ")
	}
	return strings.Join(words, "  ")
}

func TestInputOfEveryKindIsRead(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	letter := "Patient: Margaret Holloway, MRN: 00481216. Diagnosis: type 2 diabetes, on metformin 500 mg."
	file := func(name, content string) []policy.Attachment {
		return []policy.Attachment{{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}}
	}
	for name, c := range map[string]struct {
		content policy.Content
		types   []string // found, in this order among others
		field   string
	}{
		"a subject":                      {policy.Content{Subject: "MRI results of Karen Whitfield, DOB 3/4/1971"}, []string{"NAME", "DATE"}, "subject"},
		"an attachment":                  {policy.Content{Text: "see attached", Attachments: file("note.txt", letter)}, []string{"NAME", "MRN"}, "attachments[0]"},
		"an attachment's name":           {policy.Content{Text: "see attached", Attachments: file("Margaret Holloway biopsy report MRN 00481216.txt", "see chart")}, []string{"MRN"}, "attachments[0].name"},
		"extracted text":                 {policy.Content{Attachments: []policy.Attachment{{Name: "scan.pdf", Text: letter}}}, []string{"NAME", "MRN"}, "attachments[0]"},
		"structured fields":              {policy.Content{Text: "Sign in to read it.", Fields: map[string]string{"patient_name": "Ada Okafor", "dob": "1980-02-01", "diagnosis": "Crohn's disease"}}, []string{"DATE", "NAME"}, "fields.dob"},
		"fields in camel case":           {policy.Content{Fields: map[string]string{"patientName": "Ada Okafor", "dateOfBirth": "1980-02-01", "medications": "metformin 500 mg"}}, []string{"DATE", "NAME"}, "fields.dateOfBirth"},
		"the name of a field in text":    {policy.Content{Text: "Okafor needs dialysis on Monday and feels weak.", Fields: map[string]string{"patient_name": "Ada Okafor"}}, []string{"NAME"}, "text"},
		"the recipient's name":           {policy.Content{Text: "Okafor's biopsy shows carcinoma.", Names: []string{"Ada Okafor"}}, []string{"NAME"}, "text"},
		"base64 that is left":            {policy.Content{Text: "Content:\n\n" + base64.StdEncoding.EncodeToString([]byte(letter)) + "\n"}, []string{"NAME", "MRN"}, "text"},
		"base64 in lines":                {policy.Content{Text: inLines(base64.StdEncoding.EncodeToString([]byte(letter+letter)), 64)}, []string{"NAME", "MRN"}, "text"},
		"quoted-printable that is left":  {policy.Content{Text: "Patient: =C3=81ngela Mu=C3=B1oz, MRN: 004=\n81216. Diagnosis: diabetes."}, []string{"NAME", "MRN"}, "text"},
		"spread words of a scanner":      {policy.Content{Text: spread("Margaret", "Holloway") + " has  " + spread("diabetes") + "  and takes metformin 500 mg, MRN 00481216."}, []string{"MRN"}, "text"},
		"spread numbers":                 {policy.Content{Text: "SSN 2 1 9 0 9 9 9 9 9 of the diabetic Margaret Holloway"}, []string{"SSN"}, "text"},
		"dotted numbers":                 {policy.Content{Text: "Margaret Holloway has asthma, call 4.1.5.5.5.5.0.1.3.4 please"}, []string{"NAME"}, "text"},
		"misspelt medicines":             {policy.Content{Text: "Margaret Holloway takes lisinporil and metfromin since 3/4/2024"}, []string{"NAME", "DATE"}, "text"},
		"digits for letters":             {policy.Content{Text: "Margaret Holloway had a str0ke on 3/4/2024, on warfarin"}, []string{"NAME", "DATE"}, "text"},
		"a mailto link":                  {policy.Content{HTML: `<p>Her biopsy shows cancer: <a href="mailto:m.holloway@example.com">write to Margaret Holloway</a></p>`}, []string{"NAME", "EMAIL"}, "html"},
		"a link with a token":            {policy.Content{HTML: `<p>Dear Ms. Holloway, <a href="https://portal.example/results?mrn=481216&amp;token=ab12">your biopsy results</a></p>`}, []string{"NAME", "URL"}, "html"},
		"a comment":                      {policy.Content{HTML: `<p>Hello</p><!-- Patient: Margaret Holloway, MRN: 00481216, diabetes -->`}, []string{"NAME", "MRN"}, "html"},
		"a title":                        {policy.Content{HTML: `<p title="Patient: Margaret Holloway, MRN: 00481216, diabetes">Hello</p>`}, []string{"NAME", "MRN"}, "html"},
		"broken HTML":                    {policy.Content{HTML: `<p>Patient: Margaret <b>Hollo</i>way<td>MRN: 00481216 <dia betes diabetes`}, []string{"NAME", "MRN"}, "html"},
		"a style and a script left out":  {policy.Content{HTML: `<style>.a{b:c}</style><script>var x="y"</script><p>Patient: Margaret Holloway, MRN: 00481216, diabetes</p>`}, []string{"NAME", "MRN"}, "html"},
		"Spanish":                        {policy.Content{Text: "Estimada Sra. Morales: los resultados de su biopsia están listos. Su cita con el oncólogo es el 12 de marzo de 2024."}, []string{"NAME", "DATE"}, "text"},
		"Spanish form":                   {policy.Content{Text: "Paciente: José Luis Ortega\nFecha de nacimiento: 3/4/1966\nDiagnóstico: hipertensión"}, []string{"NAME", "DATE"}, "text"},
		"an age above 89":                {policy.Content{Text: "Our patient, a 94-year-old woman, fell and broke her hip on 3/4/2024; she takes warfarin."}, []string{"AGE90", "DATE"}, "text"},
		"a DEA number":                   {policy.Content{Text: "Margaret Holloway: oxycodone 5 mg, DEA BF1234563"}, []string{"NAME", "LICENSE"}, "text"},
		"a vehicle":                      {policy.Content{Text: "Margaret Holloway has whiplash from the crash in VIN 1HGCM82633A004352"}, []string{"NAME", "VEHICLE"}, "text"},
		"a device":                       {policy.Content{Text: "Patient: Margaret Holloway. Pacemaker, serial number: PJN204417H"}, []string{"NAME", "DEVICE"}, "text"},
		"an IP address":                  {policy.Content{Text: "Patient: Margaret Holloway reads her HIV test from 203.0.113.77"}, []string{"NAME", "IP"}, "text"},
		"a fingerprint and a photograph": {policy.Content{Text: "Patient: Margaret Holloway. Fingerprint and full-face photo taken before surgery."}, []string{"NAME", "BIOMETRIC", "PHOTO"}, "text"},
		"an address":                     {policy.Content{Text: "Patient: Margaret Holloway, lives at 4820 Pratt Avenue, Sanibel, FL 33957, has asthma."}, []string{"NAME", "GEO"}, "text"},
		"a fax number":                   {policy.Content{Text: "Patient: Margaret Holloway, fax: (312) 555-0177, has asthma."}, []string{"NAME", "FAX"}, "text"},
		"a card number":                  {policy.Content{Text: "Patient: Margaret Holloway paid her copay with 4111 1111 1111 1111."}, []string{"NAME", "ACCOUNT"}, "text"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := mustClassify(t, d, &c.content)
			if v.NoPHI {
				t.Errorf("not PHI (%.2f): %v", v.Score, v.Codes)
			}
			var types []string
			fields := map[string]bool{}
			for _, f := range v.Findings {
				types = append(types, f.Type)
				fields[f.Field] = true
			}
			for _, want := range c.types {
				if !slices.Contains(types, want) {
					t.Errorf("no %s among %v", want, types)
				}
			}
			if !fields[c.field] {
				t.Errorf("nothing in %s, but in %v", c.field, fields)
			}
		})
	}
}

func inLines(s string, n int) string {
	var b strings.Builder
	for len(s) > n {
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return b.String() + s + "\n"
}

func TestWhatIsAboutNobodyIsNotPHI(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	const disclaimer = "\n\nCONFIDENTIALITY NOTICE: This e-mail and any attachments may contain protected health information (PHI) covered by HIPAA. " +
		"If you are not the intended recipient, please notify the sender and delete this message.\n"
	for name, text := range map[string]string{
		"a newsletter signed by a nurse": "Living with diabetes\n\nPeople with type 2 diabetes can lower their blood sugar by walking every day. Talk to your doctor before you change your medication. " +
			"In some cases insulin is needed.\n\nKind regards\nSusan Albright, RN\nDiabetes educator, Harbor Clinic\n(312) 555-0100\n",
		"a disclaimer only":            "See you at the meeting on March 4, Anna." + disclaimer,
		"a question without a person":  "What is the recommended dose of metformin in a patient with chronic kidney disease?",
		"an article about a condition": "Asthma is a disease of the airways. Symptoms include cough, wheezing and shortness of breath. Treatment depends on its severity; many people use an inhaler.",
		"a practice's opening hours":   "Our clinic is closed on December 24. In an emergency call 911. Flu shots are given on Mondays.\n\nYour team at Harbor Clinic" + disclaimer,
		"a guideline":                  "The new guideline recommends statins for adults with diabetes aged 40 to 75. It replaces that of 2019.",
		"a year is no identifier":      "How is lupus nephritis treated in a 45-year-old woman who was diagnosed in 2019?",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v := mustClassify(t, d, contentOf(text)); !v.NoPHI || len(v.Special) > 0 {
				t.Errorf("PHI (%.2f): %v %v", v.Score, v.Codes, v.Special)
			}
		})
	}
}

func TestDisclaimerChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	for _, text := range []string{"Lunch on Monday? Anna", "Patient: Anna Berg, DOB 3/4/1960, asthma"} {
		plain := mustClassify(t, d, contentOf(text))
		with := mustClassify(t, d, contentOf(text+"\n\nThis message is privileged and confidential and may contain individually identifiable health information. Unauthorized use is strictly prohibited.\n"))
		if plain.NoPHI != with.NoPHI {
			t.Errorf("%q: %v became %v", text, plain.NoPHI, with.NoPHI)
		}
	}
}

func TestSpecialCategoriesAreNamed(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	for text, want := range map[string]policy.Category{
		"Patient: Anna Berg, DOB 3/4/1960, opioid dependence, on methadone 80 mg":              policy.SubstanceUse,
		"Patient: Anna Berg, DOB 3/4/1960, bipolar disorder, on lithium":                       policy.MentalHealth,
		"Patient: Anna Berg, DOB 3/4/1960, HIV test positive":                                  policy.HIVSTI,
		"Patient: Anna Berg, DOB 3/4/1990, 12 weeks pregnant":                                  policy.Reproductive,
		"Patient: Anna Berg, DOB 3/4/1960, BRCA1 positive, see genetic counselor":              policy.Genetic,
		"Patient: Anna Berg, DOB 3/4/2019, seen in pediatrics with otitis media":               policy.Minors,
		"Patient: Anna Berg, DOB 3/4/1960, diagnosis code F11.20":                              policy.SubstanceUse,
		"Paciente: Ana Berg, fecha de nacimiento: 3/4/1990, embarazo de 12 semanas, ecografía": policy.Reproductive,
	} {
		if v := mustClassify(t, d, contentOf(text)); v.NoPHI || !slices.Contains(v.Special, want) {
			t.Errorf("%q: PHI %v, special %v, want %v", text, !v.NoPHI, v.Special, want)
		}
	}
}

func TestUnreadAttachmentCountsAsPHI(t *testing.T) {
	t.Parallel()
	d := newDetector(t, phi.Options{})
	for name, a := range map[string]policy.Attachment{
		"binary":       {Name: "scan.pdf", ContentType: "application/pdf", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("%PDF-1.7\x00\x01")), nil }},
		"unopenable":   {Name: "note.txt", Open: func() (io.ReadCloser, error) { return nil, errors.New("no") }},
		"without Open": {Name: "note.txt"},
	} {
		v := mustClassify(t, d, &policy.Content{Text: "Hello", Attachments: []policy.Attachment{a}})
		if v.NoPHI || v.Score != 1 || len(v.Codes) == 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestHostTermsAndAllowList(t *testing.T) {
	t.Parallel()
	text := "Ref RVC-20318: she enters the Lotus programme on 3/4/2024. Questions: (312) 555-0100 or desk@clinic.example."
	plain := mustClassify(t, newDetector(t, phi.Options{}), contentOf(text))
	if !plain.NoPHI {
		t.Fatal("the text is PHI without the terms", plain.Codes)
	}
	d := newDetector(t, phi.Options{
		Terms: []phi.Term{{Prefix: "rvc-", Type: "MRN"}, {Exact: "lotus PROGRAMME", Type: phi.TypeHealth}},
		Allow: []string{"+1 312 555 0100", "@clinic.example"},
	})
	v := mustClassify(t, d, contentOf(text))
	if v.NoPHI || !slices.Contains(v.Codes, phi.CodeHostTerm) {
		t.Errorf("the host's terms are not found: %+v", v)
	}
	for _, f := range v.Findings {
		switch {
		case f.Type == "PHONE" || f.Type == "EMAIL":
			t.Errorf("%s is allowed and yet found", f.Type)
		case f.Type == "MRN" && text[f.Start:f.End] != "RVC-20318":
			t.Errorf("the term is at %d to %d", f.Start, f.End)
		}
	}
	always := newDetector(t, phi.Options{Terms: []phi.Term{{Pattern: `(?i)project\s+seahorse`, Type: phi.TypePHI}}})
	if v := mustClassify(t, always, contentOf("News of Project  Seahorse")); v.NoPHI {
		t.Error("a term of type PHI is not enough")
	}
}

func TestThresholdMovesTheVerdict(t *testing.T) {
	t.Parallel()
	text := "Contact lens order for Timothy Vance, both eyes."
	low, high := newDetector(t, phi.Options{Threshold: 0.01}), newDetector(t, phi.Options{Threshold: 1})
	if mustClassify(t, low, contentOf(text)).NoPHI {
		t.Error("not PHI at 0.01")
	}
	if !mustClassify(t, high, contentOf(text)).NoPHI {
		t.Error("PHI at 1")
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	const marker = "marker4711"
	_, err := phi.New(phi.Options{
		Threshold: 1.5, Extractors: []policy.Extractor{nil}, Allow: []string{"x", strings.Repeat(marker, 50)},
		Terms: []phi.Term{{}, {Exact: marker, Pattern: marker}, {Pattern: marker + "("}, {Pattern: "x*"}, {Exact: marker, Type: marker}, {Exact: "x"}},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Threshold", "Extractors[0]", "Allow[0]", "Allow[1]", "Terms[0]", "Terms[1]", "Terms[2]", "Terms[3]", "Terms[4]", "Terms[5]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), marker) {
		t.Error("the error repeats the host's words")
	}
}
