package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/spf13/cobra"
)

// createVariable names the environment variable with containers to create, separated by commas.
const createVariable = "LEASEHOLD_CREATE_CONTAINERS"

// contentSuffix ends the name of a file that describes the file beside it.
const contentSuffix = ".json"

// maxDescription bounds a description of a blob, in bytes: the protocol allows 8 KiB of metadata.
const maxDescription = 64 << 10

// description is the content of NAME.json beside a file NAME of --seed.
type description struct {
	ContentType     *string            `json:"contentType"`
	ContentEncoding *string            `json:"contentEncoding"`
	ContentLanguage *string            `json:"contentLanguage"`
	CacheControl    *string            `json:"cacheControl"`
	Metadata        map[string]*string `json:"metadata"`
	Tags            map[string]string  `json:"tags"`
}

// containersWanted returns the names of --create-container and of the environment.
func (o *serveOptions) containersWanted() []string {
	all := o.containers
	for name := range strings.SplitSeq(os.Getenv(createVariable), ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// prepare makes the wanted containers and blobs in the development account. It leaves alone
// whatever exists.
func (o *serveOptions) prepare(ctx context.Context, address string) error {
	wanted := o.containersWanted()
	if len(wanted) == 0 && o.seed == "" {
		return nil
	}
	client, err := azblob.NewClientFromConnectionString(devConnection(address), nil)
	if err != nil {
		return err
	}
	for _, name := range wanted {
		if err := createContainer(ctx, client, name); err != nil {
			return fmt.Errorf("--create-container %s: %w", name, err)
		}
	}
	if o.seed == "" {
		return nil
	}
	if err := seedFrom(ctx, client, o.seed); err != nil {
		return fmt.Errorf("--seed: %w", err)
	}
	return nil
}

func createContainer(ctx context.Context, client *azblob.Client, name string) error {
	_, err := client.CreateContainer(ctx, name, nil)
	if bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return nil
	}
	var refused *azcore.ResponseError
	if errors.As(err, &refused) {
		return usageError("%s (%s)", message(refused), refused.ErrorCode)
	}
	return err
}

// seedFrom makes a container of each folder in dir, and a blob of each file below it.
func seedFrom(ctx context.Context, client *azblob.Client, dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return &exitError{exitUsage, err}
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		name, below, inside := strings.Cut(filepath.ToSlash(rel), "/")
		switch {
		case d.IsDir() && !inside:
			return createContainer(ctx, client, name)
		case d.IsDir():
			return nil
		case !inside:
			return usageError("%s lies in no folder, so it has no container", path)
		case !d.Type().IsRegular():
			return usageError("%s is neither a file nor a folder", path)
		}
		if beside, ok := strings.CutSuffix(path, contentSuffix); ok {
			if _, err := os.Stat(beside); err == nil {
				return nil // describes that file
			}
		}
		return seedBlob(ctx, client, name, below, path)
	})
}

func seedBlob(ctx context.Context, client *azblob.Client, container, name, path string) error {
	about, err := describe(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer f.Close()
	_, err = client.UploadFile(ctx, container, name, f, &blockblob.UploadFileOptions{
		HTTPHeaders: &blob.HTTPHeaders{BlobContentType: about.ContentType, BlobContentEncoding: about.ContentEncoding,
			BlobContentLanguage: about.ContentLanguage, BlobCacheControl: about.CacheControl},
		Metadata: about.Metadata, Tags: about.Tags,
		AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}},
	})
	if bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet, bloberror.LeaseIDMissing) {
		return nil
	}
	var refused *azcore.ResponseError
	if errors.As(err, &refused) {
		return usageError("%s: %s (%s)", path, message(refused), refused.ErrorCode)
	}
	return err
}

// describe returns the description beside a file, or one made of the ending of its name.
func describe(path string) (*description, error) {
	about := &description{}
	if kind := mime.TypeByExtension(filepath.Ext(path)); kind != "" {
		about.ContentType = &kind
	}
	file := path + contentSuffix
	stat, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return about, nil
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	if stat.Size() > maxDescription {
		return nil, usageError("%s has more than %d bytes", file, maxDescription)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(about); err != nil {
		return nil, usageError("%s: %w", file, err)
	}
	return about, nil
}

func newReset() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Delete everything in the account of a server with --dev",
		Long: `Delete all containers in the development account of a server that runs with --dev on this
machine, leased ones included. It refuses any other server. Containers with blobs under a
policy or a legal hold stay, and are named.`,
		Example: `  leasehold reset`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := (&serveOptions{data: data, dev: true}).dataFolder()
			if err != nil {
				return err
			}
			state, err := readState(folder)
			if err != nil {
				return &exitError{exitUnreachable, err}
			}
			if !state.Dev || state.Plain == "" {
				return &exitError{exitNotPermitted, errors.New("the server does not run with --dev, or not over plain HTTP; nothing was deleted")}
			}
			return reset(cmd.Context(), state.Plain)
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

// reset deletes all containers in the development account of the server at an address.
func reset(ctx context.Context, address string) error {
	client, err := azblob.NewClientFromConnectionString(devConnection(address), nil)
	if err != nil {
		return err
	}
	var failed error
	for pages := client.NewListContainersPager(nil); pages.More(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return status(err)
		}
		for _, c := range page.ContainerItems {
			at := client.ServiceClient().NewContainerClient(*c.Name)
			if err := deleteContainer(ctx, at); err != nil {
				failed = errors.Join(failed, fmt.Errorf("container %s stays: %w", *c.Name, err))
			}
		}
	}
	return status(failed)
}

// deleteContainer deletes a container, whoever leases it.
func deleteContainer(ctx context.Context, c *container.Client) error {
	_, err := c.Delete(ctx, nil)
	if bloberror.HasCode(err, bloberror.LeaseIDMissing) {
		l, e := lease.NewContainerClient(c, nil)
		if e == nil {
			_, e = l.BreakLease(ctx, &lease.ContainerBreakOptions{BreakPeriod: to.Ptr[int32](0)})
		}
		if e == nil {
			_, e = c.Delete(ctx, nil)
		}
		err = e
	}
	if bloberror.HasCode(err, bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted) {
		return nil
	}
	return err
}
