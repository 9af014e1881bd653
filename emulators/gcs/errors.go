package gcs

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// refusal is an answer of Cloud Storage that is not a success. The XML API
// shows its code, the JSON API its reason.
type refusal struct {
	status  int
	code    string
	reason  string
	message string
	detail  string
	// plain is an answer that is neither XML nor JSON, but its bare message.
	plain bool
}

func (r *refusal) Error() string {
	if r.detail != "" {
		return r.message + ": " + r.detail
	}
	return r.message
}

func refuse(status int, code, reason, message, detail string) *refusal {
	return &refusal{status: status, code: code, reason: reason, message: message, detail: detail}
}

func accessDenied(detail string) *refusal {
	return refuse(http.StatusForbidden, "AccessDenied", "forbidden", "Access denied.", detail)
}

func invalidArgument(detail string) *refusal {
	return refuse(http.StatusBadRequest, "InvalidArgument", "invalid", "Invalid argument.", detail)
}

func malformedHeader(name, detail string) *refusal {
	return refuse(http.StatusBadRequest, "MalformedSecurityHeader", "invalid", "Your request has a malformed header.", name+": "+detail)
}

func noSuchBucket(bucket string) *refusal {
	return refuse(http.StatusNotFound, "NoSuchBucket", "notFound", "The specified bucket does not exist.", bucket)
}

func noSuchKey(bucket, object string) *refusal {
	return refuse(http.StatusNotFound, "NoSuchKey", "notFound", "The specified key does not exist.", "No such object: "+bucket+"/"+object)
}

func preconditionFailed(detail string) *refusal {
	return refuse(http.StatusPreconditionFailed, "PreconditionFailed", "conditionNotMet",
		"At least one of the pre-conditions you specified did not hold.", detail)
}

func methodNotAllowed(method string) *refusal {
	return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "methodNotAllowed",
		"The specified method is not allowed against this resource.", method)
}

func notEmulated(what string) *refusal {
	return refuse(http.StatusNotImplemented, "NotImplemented", "notImplemented",
		"The local Cloud Storage does not emulate this.", what)
}

// drainLimit bounds what is read of a refused body, so that a client that is
// still sending it sees the answer rather than a broken connection.
const drainLimit = 32 << 20

func (e *Emulator) fail(w http.ResponseWriter, r *http.Request, asXML bool, err error) {
	var ref *refusal
	if !errors.As(err, &ref) {
		e.log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
		ref = refuse(http.StatusInternalServerError, "InternalError", "internalError", "We encountered an internal error.", err.Error())
	}
	if ref.status == http.StatusNotImplemented {
		e.log.Printf("%s %s: %v", r.Method, r.URL.Path, ref)
	}
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, drainLimit)
	}
	body := ref.json()
	contentType := "application/json; charset=UTF-8"
	if asXML {
		contentType, body = "application/xml; charset=UTF-8", ref.xml()
	}
	if ref.plain {
		contentType, body = "text/plain; charset=utf-8", []byte(ref.Error())
	}
	if ref.status == http.StatusNotModified {
		w.WriteHeader(ref.status)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(ref.status)
	_, _ = w.Write(body)
}

func (r *refusal) xml() []byte {
	type document struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
		Details string `xml:",omitempty"`
	}
	// A struct of strings always encodes; characters XML cannot hold are
	// replaced by the encoder.
	body, _ := xml.Marshal(document{Code: r.code, Message: r.message, Details: r.detail})
	return append([]byte("<?xml version='1.0' encoding='UTF-8'?>"), body...)
}

func (r *refusal) json() []byte {
	type item struct {
		Domain  string `json:"domain"`
		Reason  string `json:"reason"`
		Message string `json:"message"`
	}
	var document struct {
		Error struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
			Errors  []item `json:"errors"`
		} `json:"error"`
	}
	document.Error.Code = r.status
	document.Error.Message = r.Error()
	document.Error.Errors = []item{{Domain: "global", Reason: r.reason, Message: r.Error()}}
	body, _ := json.Marshal(document)
	return body
}
