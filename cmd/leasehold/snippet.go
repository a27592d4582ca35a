package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// snippets are pieces of code that connect a program to the server. CONNECTION, ENDPOINT, ACCOUNT
// and KEY stand for its own.
var snippets = map[string]string{
	"go": `client, err := azblob.NewClientFromConnectionString("CONNECTION", nil)
`,
	"python": `from azure.storage.blob import BlobServiceClient

service = BlobServiceClient.from_connection_string("CONNECTION")
`,
	"js": `import { BlobServiceClient } from "@azure/storage-blob";

const service = BlobServiceClient.fromConnectionString("CONNECTION");
`,
	"java": `BlobServiceClient service = new BlobServiceClientBuilder()
    .connectionString("CONNECTION")
    .buildClient();
`,
	"dotnet": `var service = new BlobServiceClient("CONNECTION");
`,
	"rust": `// object_store, with the feature azure
let store = MicrosoftAzureBuilder::new()
    .with_account("ACCOUNT")
    .with_access_key("KEY")
    .with_endpoint("ENDPOINT".to_string())
    .with_allow_http(true)
    .with_container_name("sample-container")
    .build()?;
`,
	"az": `export AZURE_STORAGE_CONNECTION_STRING='CONNECTION'
az storage container list
`,
	"rclone": `[leasehold]
type = azureblob
account = ACCOUNT
key = KEY
endpoint = ENDPOINT
`,
	"terraform": `# First, in the shell: eval "$(leasehold env --service-principal)"
terraform {
  backend "azurerm" {
    storage_account_name = "ACCOUNT"
    container_name       = "sample-container"
    key                  = "terraform.tfstate"
    use_azuread_auth     = true
  }
}
`,
	"functions": `{
  "IsEncrypted": false,
  "Values": {
    "AzureWebJobsStorage": "CONNECTION"
  }
}
`,
}

func newSnippet() *cobra.Command {
	var data string
	names := slices.Sorted(maps.Keys(snippets))
	cmd := &cobra.Command{
		Use:   "snippet " + strings.Join(names, "|"),
		Short: "Print code that connects a program to the running server",
		Long: `Print code that connects a program to the server that runs with --dev on a data folder. Without a
running server the code is for the default address.`,
		Example:   `  leasehold snippet python`,
		ValidArgs: names,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(cmd *cobra.Command, args []string) error {
			address := defaultListen
			folder, err := (&serveOptions{data: data, dev: true}).dataFolder()
			if err != nil {
				return err
			}
			switch s, err := readState(folder); {
			case err == nil && (!s.Dev || s.Plain == ""):
				return usageError("the server does not run with --dev, or not over plain HTTP")
			case err == nil:
				address = s.Plain
			case data != "":
				return &exitError{exitUnreachable, err}
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), snippet(args[0], address))
			return err
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

// snippet returns the code for the server of development at an address.
func snippet(name, address string) string {
	connection := devConnection(address)
	fields, _ := connectionFields(connection) // ours are well-formed
	return strings.NewReplacer("CONNECTION", connection, "ENDPOINT", fields["blobendpoint"],
		"ACCOUNT", fields["accountname"], "KEY", fields["accountkey"]).Replace(snippets[name])
}
