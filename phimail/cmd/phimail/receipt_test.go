package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"reflect"
	"testing"

	"github.com/phimail/sdk/crypt"
	"github.com/phimail/sdk/phimail"
	"github.com/phimail/sdk/policy"
	"github.com/phimail/sdk/transport"
)

func TestExitCodeFollowsThePrecedenceOfTheContract(t *testing.T) {
	t.Parallel()
	const (
		U, P, A = phimail.Unknown, phimail.Planned, phimail.Accepted
		D, J    = phimail.Deferred, phimail.Rejected
		R, H    = phimail.Refused, phimail.Held
	)
	for _, tt := range []struct {
		statuses []phimail.Status
		want     int
	}{
		{[]phimail.Status{A}, 0},
		{[]phimail.Status{A, A}, 0},
		{[]phimail.Status{P, P}, 0},
		{[]phimail.Status{U}, 76},
		{[]phimail.Status{A, U}, 76},
		{[]phimail.Status{A, R, U}, 76},
		{[]phimail.Status{A, R}, 70},
		{[]phimail.Status{D, A}, 70},
		{[]phimail.Status{P, R}, 70},
		{[]phimail.Status{R}, 77},
		{[]phimail.Status{H}, 77},
		{[]phimail.Status{D, J, R}, 77},
		{[]phimail.Status{D, J, H}, 77},
		{[]phimail.Status{J}, 69},
		{[]phimail.Status{D, J}, 69},
		{[]phimail.Status{D, D}, 75},
		{[]phimail.Status{99, A}, 76},
		{nil, 76},
	} {
		outcomes := make([]phimail.Outcome, len(tt.statuses))
		for i, s := range tt.statuses {
			outcomes[i].Status = s
		}
		if got := exitCode(outcomes); got != tt.want {
			t.Errorf("%v: exit code %d, want %d", tt.statuses, got, tt.want)
		}
	}
}

func TestVerdictNeverCallsAnUnrecordedOutcomeGood(t *testing.T) {
	t.Parallel()
	accepted := &phimail.Receipt{Recipients: []phimail.Outcome{{Status: phimail.Accepted}}}
	rejected := &phimail.Receipt{Recipients: []phimail.Outcome{{Status: phimail.Rejected}}}
	refused := &phimail.Receipt{Recipients: []phimail.Outcome{{Status: phimail.Refused}}}
	for name, tt := range map[string]struct {
		receipt *phimail.Receipt
		err     error
		want    int
	}{
		"accepted, not recorded": {accepted, fmt.Errorf("x: %w", phimail.ErrOutcomeNotRecorded), 76},
		"rejected, not recorded": {rejected, phimail.ErrOutcomeNotRecorded, 69},
		"intent not recorded":    {refused, phimail.ErrAudit, 74},
		"no receipt, audit":      {nil, phimail.ErrAudit, 74},
		"invalid message":        {nil, &phimail.MessageError{Field: "Subject", Reason: "bad"}, 65},
		"invalid flag":           {nil, &phimail.MessageError{Field: "Actor.ID", Reason: "bad"}, 64},
		"stale plan":             {nil, phimail.ErrPlanStale, 75},
	} {
		f, ok := errors.AsType[*failure](verdict(tt.receipt, tt.err, nil))
		if !ok || f.code != tt.want {
			t.Errorf("%s: got %v, want exit code %d", name, f, tt.want)
		}
	}
}

func TestReceiptHasTheKeysOfTheContract(t *testing.T) {
	t.Parallel()
	proof := &transport.Proof{Assurance: transport.Attested, Peer: "relay.example", TLSVersion: "TLS 1.3"}
	receipt := &phimail.Receipt{
		MessageID: "id@clinic.example", IdempotencyKey: "k", Attempt: "a1",
		Recipients: []phimail.Outcome{{
			Address: mail.Address{Name: "Pat", Address: "pat&<>@x.example"}, Mode: policy.TLS, Status: phimail.Deferred,
			Retryable: true, Code: "reply", Reason: "later", Evidence: phimail.Evidence{TLS: proof, Reply: 451, Enhanced: "4.3.0"},
		}, {
			Address: mail.Address{Address: "lee@x.example"}, Mode: policy.SMIME, Status: phimail.Accepted, Code: "ok", Evidence: phimail.Evidence{
				Seal: crypt.Evidence{
					Container: "c", Algorithms: []string{"a", "b"}, Fingerprints: []string{"f"}, KeySource: "file", Signed: "none",
				},
			},
		}},
	}
	var out bytes.Buffer
	if err := writeReceipt(&out, receipt); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"message_id": "id@clinic.example", "idempotency_key": "k", "attempt": "a1",
		"recipients": []any{map[string]any{
			"address": "pat&<>@x.example", "mode": "tls", "status": "deferred", "retryable": true, "assurance": "attested",
			"code": "reply", "reason": "later",
			"evidence": map[string]any{
				"need": "recipient", "tls_peer": "relay.example", "tls_version": "TLS 1.3", "reply": 451.0, "enhanced": "4.3.0",
			},
		}, map[string]any{
			"address": "lee@x.example", "mode": "smime", "status": "accepted", "retryable": false, "assurance": "", "code": "ok", "reason": "",
			"evidence": map[string]any{
				"container": "c", "algorithms": []any{"a", "b"}, "fingerprints": []any{"f"}, "key_source": "file", "signed": "none",
			},
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if bytes.Count(out.Bytes(), []byte("\n")) != 1 {
		t.Error("the receipt is not one line")
	}
}
