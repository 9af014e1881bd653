package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/segue-audio/segue/shared/errs"
)

// maxBody is the size of a JSON body; nothing of ours needs more.
const maxBody = 256 << 10

// decode fills a request struct: fields tagged path and query from the URL, the
// others from the JSON body of a method that has one. Unknown JSON fields are
// accepted, as the Web API accepts them.
func decode(r *http.Request, into any) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodDelete {
		if err := decodeBody(r, into); err != nil {
			return err
		}
	}
	v := reflect.ValueOf(into).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if name := f.Tag.Get("path"); name != "" {
			v.Field(i).SetString(r.PathValue(name))
		}
		if name := f.Tag.Get("query"); name != "" && r.URL.Query().Has(name) {
			if err := set(v.Field(i), r.URL.Query().Get(name)); err != nil {
				return errs.New(errs.Invalid, "query parameter %s: %v", name, err)
			}
		}
	}
	if c, ok := into.(interface{ Validate() error }); ok {
		return c.Validate()
	}
	return nil
}

func set(v reflect.Value, s string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		v.SetInt(n)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		v.SetBool(b)
	default:
		return fmt.Errorf("a parameter cannot be read into a %s", v.Type())
	}
	return nil
}

func decodeBody(r *http.Request, into any) error {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || (t != "application/json" && !strings.HasSuffix(t, "+json")) {
		return errs.New(errs.UnsupportedMedia, "the body must have content type application/json")
	}
	d := json.NewDecoder(r.Body)
	if err := d.Decode(into); err != nil {
		return bodyError(err)
	}
	_, err = d.Token()
	if size := (*http.MaxBytesError)(nil); errors.As(err, &size) {
		return bodyError(err)
	}
	if !errors.Is(err, io.EOF) {
		return errs.New(errs.Invalid, "the body has something after its JSON object, at offset %d", d.InputOffset())
	}
	return nil
}

func bodyError(err error) error {
	var (
		syntax *json.SyntaxError
		typ    *json.UnmarshalTypeError
		size   *http.MaxBytesError
	)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errs.Wrap(err, errs.TooSlow, "the body did not arrive in time")
	case errors.As(err, &size):
		return errs.New(errs.TooLarge, "the body is larger than %d bytes", size.Limit)
	case errors.As(err, &syntax):
		return errs.New(errs.Invalid, "the body is not JSON, at offset %d: %v", syntax.Offset, syntax)
	case errors.As(err, &typ):
		where := "the body"
		if typ.Field != "" {
			where = "field " + typ.Field
		}
		return errs.New(errs.Invalid, "%s, at offset %d: %s is not %s", where, typ.Offset, jsonValue(typ.Value), jsonName(typ.Type))
	case errors.Is(err, io.EOF):
		return errs.New(errs.Invalid, "the body is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errs.New(errs.Invalid, "the body ends in the middle of its JSON")
	}
	return errs.Wrap(err, errs.Invalid, "the body cannot be read")
}

// jsonValue says what was sent; encoding/json gives a number that does not fit
// as "number 1.5".
func jsonValue(v string) string {
	if n, ok := strings.CutPrefix(v, "number "); ok {
		return n
	}
	switch v {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "a boolean"
	}
	return "a " + v
}

func jsonName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Pointer:
		return jsonName(t.Elem())
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}
