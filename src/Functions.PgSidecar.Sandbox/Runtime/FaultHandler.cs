using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// The handler of SIGSEGV that stands in front of the runtime's. Machine code, because managed code cannot run where the fault is: the thread is in the
/// middle of managed code already.
/// </summary>
internal static unsafe class FaultHandler
{
    private const int SegmentationFault = 11;

    /// <summary>A <c>struct sigaction</c>: the handler, a mask of 128 bytes, flags and the restorer, in glibc and musl alike.</summary>
    private const int ActionBytes = 152;
    private const int FlagsOffset = 136;

    /// <summary>SA_SIGINFO: the handler is called as <c>handler(signal, siginfo_t*, ucontext_t*)</c>.</summary>
    private const int WithInformation = 4;

    /// <summary>
    /// Puts the handler in place: from now on a fault at an address of the space is reported to the runtime as one at address 0. False where the
    /// system does not allow it, or the runtime has no handler to pass faults on to.
    /// </summary>
    public static bool TryInstall(nint space, long length)
    {
        var action = stackalloc byte[ActionBytes];
        if (SignalAction(SegmentationFault, null, action) != 0 || (*(int*)(action + FlagsOffset) & WithInformation) == 0)
            return false;
        var code = TryMap(NativeMethods.PageBytes, ProtectReadWrite);
        if (code == 0)
            return false;
        Code(space, length, *(nint*)action).CopyTo(new Span<byte>((void*)code, NativeMethods.PageBytes));
        if (Protect(code, NativeMethods.PageBytes, ProtectRead | ProtectExecute) != 0)
        {
            Unmap((byte*)code, NativeMethods.PageBytes);
            return false;
        }

        // Mask and flags stay the runtime's: its handler runs as if the kernel had called it.
        *(nint*)action = code;
        return SignalAction(SegmentationFault, action, null) == 0;
    }

    /// <summary>x86-64, with the registers of the System V calling convention; it uses none that a callee must keep.</summary>
    private static byte[] Code(nint space, long length, nint next) =>
    [
        0x83, 0x7E, 0x08, 0x00,                                     // cmp dword [rsi + 8], 0       si_code: of the kernel, and not of kill(2),
        0x7E, 0x28,                                                 // jle next                     which keeps a process id where the address is
        0x48, 0x8B, 0x46, 0x10,                                     // mov rax, [rsi + 16]          si_addr
        0x48, 0xB9, .. BitConverter.GetBytes((long)space),          // mov rcx, space
        0x48, 0x29, 0xC8,                                           // sub rax, rcx
        0x48, 0xB9, .. BitConverter.GetBytes(length),               // mov rcx, length
        0x48, 0x39, 0xC8,                                           // cmp rax, rcx
        0x73, 0x08,                                                 // jae next
        0x48, 0xC7, 0x46, 0x10, 0x00, 0x00, 0x00, 0x00,             // mov qword [rsi + 16], 0
        0x48, 0xB8, .. BitConverter.GetBytes((long)next),           // next: mov rax, next
        0xFF, 0xE0,                                                 // jmp rax
    ];
}
