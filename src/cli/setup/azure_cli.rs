//! The Entra part of the set-up as Azure CLI commands.
//!
//! Source: Azure CLI, `az ad app`; Business Central, "Service-to-service authentication".

use clap::ValueEnum;

/// The shell that runs the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Sh,
    Powershell,
}

impl Shell {
    /// Returns a script that registers the app, adds the permission, grants consent and writes a new secret to a file.
    ///
    /// The script never shows the secret.
    pub fn script(self) -> &'static str {
        match self {
            Self::Sh => SH,
            Self::Powershell => POWERSHELL,
        }
    }
}

const SH: &str = r#"# Registers bcproxy in Entra. Requires the Azure CLI and an account that may grant admin consent. Change only the name.
set -eu
az login --allow-no-subscriptions --output none
NAME=bcproxy
BUSINESS_CENTRAL=996def3d-b36c-4153-8607-a6fd3c01b89f   # Dynamics 365 Business Central
ROLE=$(az ad sp show --id "$BUSINESS_CENTRAL" --query "appRoles[?value=='API.ReadWrite.All'].id | [0]" --output tsv)

# 1. Register the app, for this directory only.
APP=$(az ad app create --display-name "$NAME" --sign-in-audience AzureADMyOrg \
    --web-redirect-uris https://businesscentral.dynamics.com/OAuthLanding.htm --query appId --output tsv)
az ad sp create --id "$APP" --output none

# 2. Add the API permission and grant admin consent. A new app needs half a minute to spread in Entra.
az ad app permission add --id "$APP" --api "$BUSINESS_CENTRAL" --api-permissions "$ROLE=Role" --output none
sleep 30
az ad app permission admin-consent --id "$APP"

# 3. Create a secret, in a file that only you can read.
(umask 077; az ad app credential reset --id "$APP" --append --display-name "$NAME" --years 1 \
    --query password --output tsv > client-secret.txt)

# 4. Set up Business Central and write proxy.yaml.
bcproxy setup --tenant "$(az account show --query tenantId --output tsv)" --client-id "$APP" --client-secret-file client-secret.txt
"#;

const POWERSHELL: &str = r#"# Registers bcproxy in Entra. Requires the Azure CLI and an account that may grant admin consent. Change only the name.
$ErrorActionPreference = 'Stop'
az login --allow-no-subscriptions --output none
$Name = 'bcproxy'
$BusinessCentral = '996def3d-b36c-4153-8607-a6fd3c01b89f'   # Dynamics 365 Business Central
$Role = az ad sp show --id $BusinessCentral --query "appRoles[?value=='API.ReadWrite.All'].id | [0]" --output tsv

# 1. Register the app, for this directory only.
$App = az ad app create --display-name $Name --sign-in-audience AzureADMyOrg `
    --web-redirect-uris https://businesscentral.dynamics.com/OAuthLanding.htm --query appId --output tsv
az ad sp create --id $App --output none

# 2. Add the API permission and grant admin consent. A new app needs half a minute to spread in Entra.
az ad app permission add --id $App --api $BusinessCentral --api-permissions "$Role=Role" --output none
Start-Sleep -Seconds 30
az ad app permission admin-consent --id $App

# 3. Create a secret, in a file that only you and administrators can read.
New-Item client-secret.txt -ItemType File -Force | Out-Null
icacls client-secret.txt /inheritance:r /grant:r "${env:USERNAME}:F" "*S-1-5-32-544:F" "*S-1-5-18:F" | Out-Null
az ad app credential reset --id $App --append --display-name $Name --years 1 --query password --output tsv |
    Set-Content -Encoding ascii client-secret.txt

# 4. Set up Business Central and write proxy.yaml.
bcproxy setup --tenant (az account show --query tenantId --output tsv) --client-id $App --client-secret-file client-secret.txt
"#;
