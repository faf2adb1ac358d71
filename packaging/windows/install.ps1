#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Installs or upgrades bcproxy as a service of Windows.

.DESCRIPTION
Copies the program to %ProgramFiles%\bcproxy, adds this folder to PATH and installs the service. An upgrade drains and
stops the running service first. The configuration, secrets and logs stay as they are.

The service starts if there is a valid configuration already.

.PARAMETER Config
The configuration file. Default: the one of the installed service, otherwise %ProgramData%\bcproxy\proxy.yaml.

.PARAMETER Listen
The listener of a new configuration file, such as 0.0.0.0:8080. An existing file stays as it is.

.PARAMETER Account
The account of the service, such as CONTOSO\bcproxy$ (a group managed service account). An installed service keeps its
account by default.

.PARAMETER Name
The name of the service. Default: bcproxy.

.EXAMPLE
.\install.ps1 -Listen 0.0.0.0:8080

.EXAMPLE
.\install.ps1 -Config D:\bcproxy\proxy.yaml
#>
[CmdletBinding()]
param(
    [string] $Config,
    [string] $Listen,
    [string] $Account,
    [string] $Name = 'bcproxy'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

if (-not [Environment]::Is64BitOperatingSystem) {
    throw 'bcproxy needs a 64-bit edition of Windows 10, Windows Server 2016, or newer.'
}
if (Test-Path -LiteralPath 'HKLM:\SOFTWARE\bcproxy') {
    throw 'bcproxy is installed from its MSI. Upgrade it with a newer MSI, or uninstall it before you run this script.'
}

# A 32-bit PowerShell calls another folder ProgramFiles.
$folder = Join-Path $env:ProgramW6432 'bcproxy'
$program = Join-Path $folder 'bcproxy.exe'
$files = 'bcproxy.exe', 'proxy.sample.yaml', 'proxy.schema.json', 'README.txt', 'LICENSE-APACHE.txt', 'LICENSE-MIT.txt',
    'THIRD-PARTY-LICENSES.txt', 'install.ps1', 'uninstall.ps1'
foreach ($file in $files) {
    if (-not (Test-Path -LiteralPath (Join-Path $PSScriptRoot $file))) {
        throw "$file is missing in $PSScriptRoot. Extract the whole zip, then run install.ps1 again."
    }
}

# Runs the installed program. Its own message says what failed; $what says what was tried.
function Invoke-Bcproxy([string] $what, [string[]] $arguments) {
    & $program @arguments
    if ($LASTEXITCODE -ne 0) {
        throw "$what failed, see above (exit code $LASTEXITCODE)."
    }
}

# Adds the folder of the program to PATH, for all users. Entries such as %SystemRoot% stay unexpanded.
function Add-ToPath([string] $entry) {
    $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey(
        'SYSTEM\CurrentControlSet\Control\Session Manager\Environment', $true)
    try {
        $path = [string] $key.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
        if (($path -split ';') -notcontains $entry) {
            $key.SetValue('Path', $path.TrimEnd(';') + ';' + $entry, [Microsoft.Win32.RegistryValueKind]::ExpandString)
        }
    } finally {
        $key.Close()
    }
    # Removes a variable that doesn't exist: with this, .NET tells running programs to read PATH again.
    [Environment]::SetEnvironmentVariable('BCPROXY_PATH_CHANGED', $null, 'Machine')
}

$service = Get-Service -Name $Name -ErrorAction SilentlyContinue
if ($service) {
    $settings = Get-ItemProperty -LiteralPath "HKLM:\SYSTEM\CurrentControlSet\Services\$Name"
    if (-not $Config -and $settings.ImagePath -match '--config\s+("[^"]+"|\S+)') {
        $Config = $Matches[1].Trim('"')
    }
    if ($service.Status -ne 'Stopped') {
        Write-Host "Stopping the service $Name. It finishes the requests in progress first."
        Invoke-Bcproxy "Stopping the service $Name" @('service', 'stop', '--name', $Name)
    }
}
if (-not $Config) {
    $Config = Join-Path $env:ProgramData 'bcproxy\proxy.yaml'
}
$Config = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Config)
# The sample that -Listen writes needs the administrator's values first.
$existed = Test-Path -LiteralPath $Config

Write-Host "Copying the program to $folder."
New-Item -ItemType Directory -Path $folder -Force | Out-Null
foreach ($file in $files) {
    $source = Join-Path $PSScriptRoot $file
    if ($source -ne (Join-Path $folder $file)) {
        try {
            Copy-Item -LiteralPath $source -Destination $folder -Force
        } catch {
            throw ("$file can't be replaced in ${folder}: $($_.Exception.Message) " +
                'Stop all bcproxy programs and services, then run install.ps1 again.')
        }
    }
}
# Windows asks before it runs a file from the internet.
Get-ChildItem -LiteralPath $folder | Unblock-File
Add-ToPath $folder

$arguments = @('service', 'install', '--no-check', '--name', $Name, '--config', $Config)
if ($Listen) { $arguments += '--listen', $Listen }
if ($Account) { $arguments += '--account', $Account }
Invoke-Bcproxy "Installing the service $Name" $arguments

$ready = $false
if ($existed) {
    Write-Host "Checking $Config."
    & $program check --config $Config
    $ready = $LASTEXITCODE -eq 0
}
if ($ready) {
    Invoke-Bcproxy "Starting the service $Name" @('service', 'start', '--name', $Name)
    Write-Host ''
    Write-Host "The service $Name runs. Check each set-up step with: bcproxy doctor --config `"$Config`""
} else {
    Write-Host ''
    Write-Host "The service $Name is installed, but not started: it needs a valid configuration."
    Write-Host 'Open a new terminal as administrator, then run:'
    Write-Host "  1. bcproxy setup --config `"$Config`""
    Write-Host "  2. bcproxy service start --name $Name"
}
