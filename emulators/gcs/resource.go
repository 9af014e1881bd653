package gcs

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// resource is an object as the JSON API and notifications describe it.
type resource struct {
	Kind               string            `json:"kind"`
	ID                 string            `json:"id"`
	SelfLink           string            `json:"selfLink"`
	MediaLink          string            `json:"mediaLink"`
	Name               string            `json:"name"`
	Bucket             string            `json:"bucket"`
	Generation         string            `json:"generation"`
	Metageneration     string            `json:"metageneration"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass"`
	Size               string            `json:"size"`
	MD5                string            `json:"md5Hash"`
	CRC32C             string            `json:"crc32c"`
	ETag               string            `json:"etag"`
	TimeCreated        string            `json:"timeCreated"`
	Updated            string            `json:"updated"`
	CustomTime         string            `json:"customTime,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

func (e *Emulator) resource(o fakestorage.ObjectAttrs) resource {
	generation := strconv.FormatInt(o.Generation, 10)
	path := "/storage/v1/b/" + o.BucketName + "/o/" + url.PathEscape(o.Name)
	custom := ""
	if !o.CustomTime.IsZero() {
		custom = stamp(o.CustomTime)
	}
	return resource{
		Kind: "storage#object", ID: o.BucketName + "/" + o.Name + "/" + generation,
		SelfLink:  e.URL() + path,
		MediaLink: fmt.Sprintf("%s/download%s?generation=%s&alt=media", e.URL(), path, generation),
		Name:      o.Name, Bucket: o.BucketName,
		Generation: generation, Metageneration: strconv.Itoa(metageneration),
		ContentType: o.ContentType, ContentEncoding: o.ContentEncoding,
		ContentDisposition: o.ContentDisposition, ContentLanguage: o.ContentLanguage,
		CacheControl: o.CacheControl, StorageClass: o.StorageClass,
		Size: strconv.FormatInt(o.Size, 10), MD5: o.Md5Hash, CRC32C: o.Crc32c, ETag: o.Etag,
		TimeCreated: stamp(o.Created), Updated: stamp(o.Updated), CustomTime: custom,
		Metadata: o.Metadata,
	}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
