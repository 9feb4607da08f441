package render

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"reflect"
	"time"

	"github.com/phimail/sdk/policy/phi"
)

const (
	maxDepth = 32
	maxNodes = 1 << 20
)

var errData = errors.New("render: data that a template can't be given")

// plain copies data into maps, lists and basic values, so that a template finds
// no method to call, no channel to wait for and no pointer to write through.
// Only time.Time, time.Duration and the content types of html/template stay as
// they are. What can't be copied is left out, and with hide every phi.Value too,
// and so is the list that one stands in.
func plain(data any, hide bool) (v any, err error) {
	defer func() {
		if recover() != nil { // a String method of the host's
			v, err = nil, errData
		}
	}()
	c := &copier{hide: hide}
	v, _, err = c.copy(reflect.ValueOf(data), 0)
	return v, err
}

type copier struct {
	hide  bool
	nodes int
}

func (c *copier) copy(v reflect.Value, depth int) (out any, hidden bool, err error) {
	if c.nodes++; depth > maxDepth || c.nodes > maxNodes {
		return nil, false, errData
	}
	if !v.IsValid() {
		return nil, false, nil
	}
	if v.CanInterface() {
		if out, hidden, ok := c.known(v); ok {
			return out, hidden, nil
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil, false, nil
		}
		return c.copy(v.Elem(), depth+1)
	case reflect.String:
		return v.String(), false, nil
	case reflect.Bool:
		return v.Bool(), false, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), false, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint(), false, nil
	case reflect.Float32, reflect.Float64:
		return v.Float(), false, nil
	case reflect.Struct:
		return c.fields(v, depth)
	case reflect.Map:
		return c.entries(v, depth)
	case reflect.Slice, reflect.Array:
		return c.elements(v, depth)
	default: // a function or a channel: as if it were not there
		return nil, true, nil
	}
}

// known are types that stay, or that say themselves how they look.
func (c *copier) known(v reflect.Value) (out any, hidden, ok bool) {
	switch t := v.Interface().(type) {
	case phi.Value:
		if t.IsZero() {
			return "", false, true
		}
		if c.hide {
			return nil, true, true
		}
		return t, false, true
	case time.Time, time.Duration, htmltemplate.HTML, htmltemplate.URL, htmltemplate.CSS, htmltemplate.HTMLAttr, htmltemplate.Srcset:
		return t, false, true
	case fmt.Stringer:
		if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && (v.IsNil() || isPHI(v.Elem())) {
			return nil, false, false
		}
		return t.String(), false, true
	}
	return nil, false, false
}

func isPHI(v reflect.Value) bool {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v.IsValid() && (v.Type() == reflect.TypeFor[phi.Value]() || v.Type() == reflect.TypeFor[time.Time]())
}

// fields makes a map of a struct's exported fields. Those of an embedded struct
// are reached as in Go, by either way.
func (c *copier) fields(v reflect.Value, depth int) (any, bool, error) {
	out := map[string]any{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if !f.IsExported() {
			continue
		}
		field, err := v.FieldByIndexErr(f.Index)
		if err != nil { // in an embedded pointer that is nil
			continue
		}
		if err := c.put(out, f.Name, field, depth); err != nil {
			return nil, false, err
		}
	}
	return out, false, nil
}

func (c *copier) entries(v reflect.Value, depth int) (any, bool, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, true, nil
	}
	if v.IsNil() {
		return map[string]any{}, false, nil
	}
	out := make(map[string]any, v.Len())
	for it := v.MapRange(); it.Next(); {
		if err := c.put(out, it.Key().String(), it.Value(), depth); err != nil {
			return nil, false, err
		}
	}
	return out, false, nil
}

func (c *copier) put(out map[string]any, name string, v reflect.Value, depth int) error {
	value, hidden, err := c.copy(v, depth+1)
	if err == nil && !hidden {
		out[name] = value
	}
	return err
}

func (c *copier) elements(v reflect.Value, depth int) (any, bool, error) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		if v.Kind() == reflect.Slice {
			return string(v.Bytes()), false, nil
		}
		return nil, true, nil
	}
	out := make([]any, 0, v.Len())
	for i := range v.Len() {
		value, hidden, err := c.copy(v.Index(i), depth+1)
		if err != nil || hidden {
			return nil, hidden, err
		}
		out = append(out, value)
	}
	return out, false, nil
}
