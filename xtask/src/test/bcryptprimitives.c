/* The one function of a Windows library that Rust's standard library asks for random numbers, for a wine that lacks it. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); /* RtlGenRandom */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    const SIZE_T most = 1 << 20;
    for (; length > most; data += most, length -= most) {
        if (!SystemFunction036(data, (ULONG)most)) return FALSE;
    }
    return SystemFunction036(data, (ULONG)length);
}
