package gcs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// admits tells whether an upload could be stored now. commit asks again under
// the lock.
func (e *Emulator) admits(attrs fakestorage.ObjectAttrs, cond conditions) error {
	if err := checkObject(attrs.Name); err != nil {
		return err
	}
	if !e.bucketExists(attrs.BucketName) {
		return noSuchBucket(attrs.BucketName)
	}
	live, exists := e.lookup(attrs.BucketName, attrs.Name)
	return cond.check(live, exists, false)
}

// commit makes a spooled body the live object, if the conditions hold, and
// tells of it. Every upload ends here. Just before it writes, it tells before,
// unless nil, which generation (0 for none) is about to be replaced; nothing
// else changes the object until commit is done.
func (e *Emulator) commit(attrs fakestorage.ObjectAttrs, body *spooled, cond conditions, before func(generation int64) error) (fakestorage.ObjectAttrs, error) {
	bucket, object := attrs.BucketName, attrs.Name
	if attrs.ContentType == "" {
		attrs.ContentType = "application/octet-stream"
	}
	if attrs.StorageClass == "" {
		attrs.StorageClass = "STANDARD"
	}
	defer e.locks.write(bucket, object)()
	if err := e.admits(attrs, cond); err != nil {
		return fakestorage.ObjectAttrs{}, err
	}
	old, existed := e.lookup(bucket, object)
	if before != nil {
		if err := before(old.Generation); err != nil {
			return fakestorage.ObjectAttrs{}, err
		}
	}
	err := e.fake.CreateObjectStreaming(fakestorage.StreamingObject{ObjectAttrs: attrs, Content: body})
	if err != nil {
		return fakestorage.ObjectAttrs{}, e.undo(bucket, object, err)
	}
	stored, ok := e.lookup(bucket, object)
	if !ok {
		return fakestorage.ObjectAttrs{}, fmt.Errorf("%s/%s is not there after it was stored", bucket, object)
	}
	e.announceWrite(old, existed, stored)
	return stored, nil
}

// undo takes away what a failed write may have left: content whose attributes
// did not fit would hide the whole bucket's listing.
func (e *Emulator) undo(bucket, object string, cause error) error {
	if info, err := os.Stat(e.path(bucket, object)); err == nil && info.IsDir() || errors.Is(cause, syscall.ENOTDIR) {
		return invalidArgument("the local Cloud Storage cannot hold an object whose name and another's are file and folder: " + object)
	}
	if _, ok := e.lookup(bucket, object); !ok {
		// It may well not be there at all.
		_ = os.Remove(e.path(bucket, object))
	}
	return fmt.Errorf("store %s/%s: %w", bucket, object, cause)
}

// remove deletes the live object. generation, when given, names the only one
// that may be deleted.
func (e *Emulator) remove(bucket, object, generation string, cond conditions) error {
	defer e.locks.write(bucket, object)()
	live, exists := fakestorage.ObjectAttrs{}, false
	if checkObject(object) == nil {
		live, exists = e.lookup(bucket, object)
	}
	if err := cond.check(live, exists, false); err != nil {
		return err
	}
	if !exists && !e.bucketExists(bucket) {
		return noSuchBucket(bucket)
	}
	if !exists || generation != "" && generation != strconv.FormatInt(live.Generation, 10) {
		return noSuchKey(bucket, object)
	}
	if err := e.fake.Backend().DeleteObject(bucket, object); err != nil {
		return fmt.Errorf("delete %s/%s: %w", bucket, object, err)
	}
	e.announce(eventDelete, live, nil)
	return nil
}

func (e *Emulator) path(bucket, object string) string {
	return filepath.Join(e.files.objects, bucket, filepath.FromSlash(object))
}

func (e *Emulator) discard(body *spooled) {
	if err := body.discard(); err != nil {
		e.log.Printf("spool: %v", err)
	}
}
