package phimail_test

import (
	"bytes"
	"encoding/gob"
	"go/ast"
	"net/mail"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phimail/sdk/audit"
	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/crypt/escrow"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/phimail/phimailtest"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/policy/consent"
	"github.com/phimail/sdk/policy/phi"
	"github.com/phimail/sdk/transport"
	"github.com/phimail/sdk/transport/mem"
)

// carriers are the exported types that may hold PHI or a secret, by the folder of
// their package.
func carriers() map[string]reflect.Type {
	return map[string]reflect.Type{
		"phimail.Message": reflect.TypeFor[phimail.Message](), "phimail.Recipient": reflect.TypeFor[phimail.Recipient](),
		"phimail.Attachment": reflect.TypeFor[phimail.Attachment](), "phimail.HeaderField": reflect.TypeFor[phimail.HeaderField](),
		"phimail.Config": reflect.TypeFor[phimail.Config](), "phimail.Receipt": reflect.TypeFor[phimail.Receipt](),
		"phimail.Outcome": reflect.TypeFor[phimail.Outcome](), "phimail.BatchItem": reflect.TypeFor[phimail.BatchItem](),
		"phimail.BatchResult": reflect.TypeFor[phimail.BatchResult](), "phimail/phimailtest.Message": reflect.TypeFor[phimailtest.Message](),
		"phimail/phimailtest.Options": reflect.TypeFor[phimailtest.Options](),
		"policy.Facts":                reflect.TypeFor[policy.Facts](), "policy.RecipientFacts": reflect.TypeFor[policy.RecipientFacts](),
		"policy.Content": reflect.TypeFor[policy.Content](), "policy.Attachment": reflect.TypeFor[policy.Attachment](),
		"policy.AttachmentFacts": reflect.TypeFor[policy.AttachmentFacts](), "policy.Record": reflect.TypeFor[policy.Record](),
		"policy.RecordQuery": reflect.TypeFor[policy.RecordQuery](), "policy/phi.Value": reflect.TypeFor[phi.Value](),
		"policy/consent.Config": reflect.TypeFor[consent.Config](),
		"crypt.Job":             reflect.TypeFor[crypt.Job](), "crypt.Target": reflect.TypeFor[crypt.Target](), "crypt.Field": reflect.TypeFor[crypt.Field](),
		"crypt.Sealed": reflect.TypeFor[crypt.Sealed](), "crypt.Protected": reflect.TypeFor[crypt.Protected](),
		"audit.Config": reflect.TypeFor[audit.Config](), "crypt/escrow.Config": reflect.TypeFor[escrow.Config](),
		"crypt/escrow.Link": reflect.TypeFor[escrow.Link](),
		"transport.Query":   reflect.TypeFor[transport.Query](), "transport.Envelope": reflect.TypeFor[transport.Envelope](),
		"transport/mem.Message": reflect.TypeFor[mem.Message](),
	}
}

// codes are names of fields that hold identifiers for records and codes, which are
// made to be shown: the packages that fill them check that they are such.
var codes = []string{
	"Tenant", "Code", "ID", "Attempt", "MessageID", "HoldID", "Class", "Status", "Reason", "Stage", "Enhanced", "Form", "Digest", "Document",
	"Fingerprint", "Container", "Protection", "Mode", "Field", "Type", "Kind",
}

// filled returns a value of a type whose exported fields hold the canary.
func filled(t reflect.Type, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	if depth > 6 {
		return v
	}
	switch t {
	case reflect.TypeFor[phi.Value]():
		return reflect.ValueOf(phi.Name(canary))
	case reflect.TypeFor[mail.Address]():
		return reflect.ValueOf(mail.Address{Name: canary, Address: canary + "@patient.example"})
	case reflect.TypeFor[time.Time]():
		return v
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(canary)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(canary))
			break
		}
		v.Set(reflect.MakeSlice(t, 1, 1))
		v.Index(0).Set(filled(t.Elem(), depth+1))
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(filled(t.Key(), depth+1), filled(t.Elem(), depth+1))
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(filled(t.Elem(), depth+1))
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			switch {
			case !f.IsExported():
			case f.Name == "Codes":
			case f.Type.Kind() == reflect.String && slices.Contains(codes, f.Name):
				v.Field(i).SetString("code")
			default:
				v.Field(i).Set(filled(f.Type, depth+1))
			}
		}
	}
	return v
}

// wrapped puts a value where it stands in a host's own types.
func wrapped(v reflect.Value) map[string]any {
	t := v.Type()
	ptr := reflect.New(t)
	ptr.Elem().Set(v)
	list := reflect.MakeSlice(reflect.SliceOf(t), 1, 1)
	list.Index(0).Set(v)
	byName := reflect.MakeMap(reflect.MapOf(reflect.TypeFor[string](), t))
	byName.SetMapIndex(reflect.ValueOf("x"), v)
	host := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: t}, {Name: "P", Type: ptr.Type()}})).Elem()
	host.Field(0).Set(v)
	host.Field(1).Set(ptr)
	return map[string]any{
		"value": v.Interface(), "pointer": ptr.Interface(), "list": list.Interface(), "map": byName.Interface(),
		"field": host.Interface(), "interface": []any{v.Interface()},
	}
}

// Every type that may carry PHI shows none of it, in whatever way Go prints or
// encodes values.
func TestNoTypeThatMayCarryPHIShowsIt(t *testing.T) {
	t.Parallel()
	for name, typ := range carriers() {
		for form, v := range wrapped(filled(typ, 0)) {
			for _, leak := range leaks(v) {
				t.Errorf("%s as a %s leaks through %s", name, form, leak)
			}
			var out bytes.Buffer
			if err := gob.NewEncoder(&out).Encode(v); err == nil && strings.Contains(strings.ToLower(out.String()), strings.ToLower(canary)) {
				t.Errorf("%s as a %s leaks through gob", name, form)
			}
		}
	}
}

// suspicious are names of fields that hold PHI or a secret, wherever they stand.
var suspicious = []string{
	"Address", "Patient", "Patients", "Cc", "Bcc", "ReplyTo", "Passcode", "HostSecret", "Secret", "Wording", "Subject", "Raw", "Addresses",
	"Password", "Passphrase", "PseudonymKey", "LinkKey",
}

// innocent are types with such a field that hold none, with the reason.
var innocent = map[string]string{
	"audit.Event":                        "pseudonyms and codes: Patients are keyed digests",
	"crypt/pgp.SignerFile":               "names of files; the passphrase is behind a function",
	"crypt/smime.CertificateFilesConfig": "likewise",
	"crypt/smime.IdentityFile":           "likewise",
	"policy.Options":                     "Subject is the neutral one that a sealed message shows outside",
	"policy.Verdict":                     "likewise",
	"phimail.TemplateConfig":             "Subject is a template, without data",
	"transport/mx/tlsrpt.Letter":         "a report to a mail operator, about no patient",
	"transport/mx/tlsrpt.Record":         "where such reports go",
}

// A new type with such a field is checked or declared innocent.
func TestEveryTypeThatMayCarryPHIIsChecked(t *testing.T) {
	t.Parallel()
	checked, found := carriers(), 0
	for _, s := range mustRepository(t) {
		if !s.public() || strings.Contains(s.dir()+"/", "test/") { // kits and what they need
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() || !mayCarry(spec) {
				return true
			}
			found++
			name := s.dir() + "." + spec.Name.Name
			if _, ok := checked[name]; !ok && innocent[name] == "" {
				t.Errorf("%s: %s may carry PHI; add it to carriers, or to innocent with the reason", s.at(spec), name)
			}
			return true
		})
	}
	if found < 10 {
		t.Errorf("%d types: the walk went wrong", found)
	}
}

func mayCarry(spec *ast.TypeSpec) bool {
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return false
	}
	for _, f := range st.Fields.List {
		for _, name := range f.Names {
			if name.IsExported() && (slices.Contains(suspicious, name.Name) || isMailAddress(f.Type)) {
				return true
			}
		}
	}
	return false
}

func isMailAddress(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ArrayType:
		return isMailAddress(e.Elt)
	case *ast.StarExpr:
		return isMailAddress(e.X)
	case *ast.SelectorExpr:
		pkg, ok := e.X.(*ast.Ident)
		return ok && pkg.Name == "mail" && e.Sel.Name == "Address"
	}
	return false
}

// Package fmt calls no method of what stands in a field of a Client, and a Client
// that is printed by value has none itself.
func TestAClientShowsNoConfigurationEvenByValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *phimail.Config) {
		c.From = mail.Address{Name: canary, Address: canary + "@clinic.example"}
		c.Senders = []mail.Address{{Address: canary + "-2@clinic.example"}}
		c.HostSecret = []byte(strings.Repeat(canary, 4))
	})
	client := reflect.ValueOf(w.client)
	for form, v := range map[string]any{
		"pointer": client.Interface(), "value": client.Elem().Interface(), "zero": &phimail.Client{}, "field": struct{ c *phimail.Client }{w.client},
	} {
		for _, leak := range leaks(v) {
			t.Errorf("a %s leaks through %s", form, leak)
		}
	}
}
