// A revocation provider (Microsoft: CertVerifyRevocation) to which no certificate is revoked. Certificates of a
// company's own authority often name no place to ask; Windows accepts them, Wine 8 rejects them.
#include <windows.h>
#include <wincrypt.h>

__declspec(dllexport) BOOL WINAPI CertDllVerifyRevocation(
    DWORD encoding, DWORD type, DWORD count, PVOID contexts[], DWORD flags, PCERT_REVOCATION_PARA parameters,
    PCERT_REVOCATION_STATUS status)
{
    (void)encoding, (void)type, (void)count, (void)contexts, (void)flags, (void)parameters;
    status->dwIndex = 0;
    status->dwError = 0;
    return TRUE;
}
