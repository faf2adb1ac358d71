#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Uninstalls the service bcproxy and the program.

.DESCRIPTION
Drains, stops and removes the service. Then removes %ProgramFiles%\bcproxy and its entry in PATH, unless another service
still uses the program. The configuration, secrets and logs stay, unless -RemoveData is given.

.PARAMETER RemoveData
Removes %ProgramData%\bcproxy too: configuration, secrets and logs. This can't be undone.

.PARAMETER Name
The name of the service. Default: bcproxy.

.EXAMPLE
.\uninstall.ps1

.EXAMPLE
.\uninstall.ps1 -RemoveData
#>
[CmdletBinding()]
param(
    [switch] $RemoveData,
    [string] $Name = 'bcproxy'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

if (Test-Path -LiteralPath 'HKLM:\SOFTWARE\bcproxy') {
    throw 'bcproxy is installed from its MSI. Uninstall it in the settings of Windows, or with msiexec /x.'
}

$folder = Join-Path $env:ProgramW6432 'bcproxy'
$program = Join-Path $folder 'bcproxy.exe'
$data = Join-Path $env:ProgramData 'bcproxy'

# Removes the folder of the program from PATH. Entries such as %SystemRoot% stay unexpanded.
function Remove-FromPath([string] $entry) {
    $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey(
        'SYSTEM\CurrentControlSet\Control\Session Manager\Environment', $true)
    try {
        $path = [string] $key.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
        $others = @($path -split ';' | Where-Object { $_ -ne $entry })
        $key.SetValue('Path', $others -join ';', [Microsoft.Win32.RegistryValueKind]::ExpandString)
    } finally {
        $key.Close()
    }
    # Removes a variable that doesn't exist: with this, .NET tells running programs to read PATH again.
    [Environment]::SetEnvironmentVariable('BCPROXY_PATH_CHANGED', $null, 'Machine')
}

if (Get-Service -Name $Name -ErrorAction SilentlyContinue) {
    Write-Host "Removing the service $Name. It finishes the requests in progress first."
    & $program service uninstall --name $Name
    if ($LASTEXITCODE -ne 0) {
        throw "The service $Name can't be removed, see above (exit code $LASTEXITCODE)."
    }
}

$others = @(Get-ChildItem -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Services' |
    Where-Object { $_.PSChildName -ne $Name -and [string] $_.GetValue('ImagePath') -like "*$program*" } |
    ForEach-Object { $_.PSChildName })
if ($others.Count -gt 0) {
    Write-Host "The program stays, because other services use it: $($others -join ', ')."
    if ($RemoveData) {
        Write-Host "$data stays, too. Remove the other services first."
    }
    exit 0
}

Remove-FromPath $folder
if (Test-Path -LiteralPath $folder) {
    Remove-Item -LiteralPath $folder -Recurse -Force
    Write-Host "Removed $folder."
}
if ($RemoveData -and (Test-Path -LiteralPath $data)) {
    Remove-Item -LiteralPath $data -Recurse -Force
    Write-Host "Removed $data."
} elseif (Test-Path -LiteralPath $data) {
    Write-Host "The configuration, secrets and logs stay in $data."
}
