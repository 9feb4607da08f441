package portal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/phimail/sdk/crypt/escrow"
)

// maxRequest bounds the JSON of a request, in bytes.
const maxRequest = 4 << 10

// request is what the page sends.
type request struct {
	Access string `json:"access"`
	Token  string `json:"token"`
	Proof  string `json:"proof"`
	Code   string `json:"code"`
}

// challenge is the answer to ask.
type challenge struct {
	Factor       escrow.Factor `json:"factor"`
	Salt         string        `json:"salt"`
	Iterations   int           `json:"iterations"`
	Size         int64         `json:"size"`
	Expires      time.Time     `json:"expires"`
	Token        string        `json:"token"`
	TokenExpires time.Time     `json:"token_expires"`
	AttemptsLeft int           `json:"attempts_left"`
	LoginURL     string        `json:"login_url,omitempty"`
}

// act carries out a POST, and returns its route.
func (p *Portal) act(w http.ResponseWriter, r *http.Request, id, action string) (route string) {
	if action != "ask" && action != "code" && action != "open" {
		p.refuse(w, http.StatusNotFound, escrow.RefusedUnknown)
		return "none"
	}
	var req request
	if !p.ours(r) || !read(w, r, &req) {
		p.refuse(w, http.StatusBadRequest, escrow.RefusedRequest)
		return action
	}
	access, err := decode(req.Access)
	if err != nil {
		p.refuse(w, http.StatusBadRequest, escrow.RefusedRequest)
		return action
	}
	reader := escrow.Reader{Access: access, Addr: p.cfg.Addr(r)}
	switch action {
	case "ask":
		err = p.ask(w, r, id, reader)
	case "code":
		if err = p.cfg.Gate.SendCode(r.Context(), id, reader); err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	case "open":
		err = p.open(w, r, id, reader, &req)
	}
	if err != nil {
		p.refused(w, err)
	}
	return action
}

// ours reports whether the page made the request: of our origin, and of a media
// type that a form of another page can't send.
func (p *Portal) ours(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json" && p.origin.Check(r) == nil
}

// read is strict: one object of known names, and nothing after it.
func read(w http.ResponseWriter, r *http.Request, req *request) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	dec.DisallowUnknownFields()
	if dec.Decode(req) != nil {
		return false
	}
	_, err := dec.Token()
	return errors.Is(err, io.EOF)
}

// decode takes 32 bytes in base64url without padding.
func decode(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 32 || base64.RawURLEncoding.EncodeToString(b) != s {
		return nil, escrow.RefusedRequest
	}
	return b, nil
}

func (p *Portal) ask(w http.ResponseWriter, r *http.Request, id string, reader escrow.Reader) error {
	c, err := p.cfg.Gate.Ask(r.Context(), id, reader)
	if err != nil {
		return err
	}
	answer := challenge{
		Factor: c.Factor, Salt: base64.RawURLEncoding.EncodeToString(c.Salt), Iterations: c.Iterations, Size: c.Size,
		Expires: c.Expires, Token: c.Token, TokenExpires: c.TokenExpires, AttemptsLeft: c.AttemptsLeft,
	}
	if c.Factor == escrow.Login {
		answer.LoginURL = p.cfg.LoginURL
	}
	p.writeJSON(w, http.StatusOK, answer)
	return nil
}

// open makes one attempt, and streams what it opens.
func (p *Portal) open(w http.ResponseWriter, r *http.Request, id string, reader escrow.Reader, req *request) error {
	a := &escrow.Attempt{Token: req.Token, Code: req.Code}
	if req.Proof != "" {
		proof, err := decode(req.Proof)
		if err != nil {
			return err
		}
		a.Proof = proof
	}
	if p.cfg.Login != nil {
		ref, err := p.signedIn(r)
		if err != nil {
			return escrow.RefusedFailed
		}
		a.Ref = ref
	}
	o, err := p.cfg.Gate.Open(r.Context(), id, reader, a)
	if err != nil {
		return err
	}
	defer func() { _ = o.Content.Close() }() // all of it was read, or the reader is gone
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(int64(len(o.Share))+o.Size, 10))
	w.WriteHeader(http.StatusOK)
	p.stream(w, o)
	return nil
}

// signedIn asks the host who is signed in. A panic of it is an error.
func (p *Portal) signedIn(r *http.Request) (ref string, err error) {
	defer func() {
		if recover() != nil {
			ref, err = "", escrow.RefusedFailed
		}
	}()
	return p.cfg.Login(r)
}

// stream writes the share and the sealed form in small pieces, and gives up a
// reader who takes none of them for a while. The reader knows a message that is
// cut off: it does not decrypt to its end.
func (p *Portal) stream(w http.ResponseWriter, o *escrow.Opened) {
	ctl := http.NewResponseController(w)
	buf := make([]byte, 64<<10)
	piece := o.Share[:]
	for {
		// Without support for deadlines the server's own hold.
		_ = ctl.SetWriteDeadline(time.Now().Add(p.cfg.Stall))
		if _, err := w.Write(piece); err != nil { //nolint:gosec // octets, sealed, of no type that a browser shows
			return
		}
		n, err := o.Content.Read(buf)
		if n == 0 && err != nil {
			return
		}
		piece = buf[:n]
	}
}

// refused answers with what the gate said.
func (p *Portal) refused(w http.ResponseWriter, err error) {
	refusal, ok := errors.AsType[escrow.Refusal](err)
	if !ok {
		refusal = escrow.RefusedFailed
	}
	status := http.StatusServiceUnavailable
	switch refusal {
	case escrow.RefusedRequest:
		status = http.StatusBadRequest
	case escrow.RefusedUnknown:
		status = http.StatusNotFound
	case escrow.RefusedLogin:
		status = http.StatusUnauthorized
	case escrow.RefusedFactor, escrow.RefusedNoCode:
		status = http.StatusForbidden
	case escrow.RefusedToken:
		status = http.StatusConflict
	case escrow.RefusedExpired, escrow.RefusedRecalled:
		status = http.StatusGone
	case escrow.RefusedLocked:
		status = http.StatusLocked
	case escrow.RefusedBusy:
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", "1800")
	case escrow.RefusedFailed:
		w.Header().Set("Retry-After", "30")
	}
	p.refuse(w, status, refusal)
}

func (p *Portal) refuse(w http.ResponseWriter, status int, why escrow.Refusal) {
	p.writeJSON(w, status, map[string]string{"error": string(why)})
}

func (*Portal) writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // of strings and numbers
		status, b = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the reader is gone
}
