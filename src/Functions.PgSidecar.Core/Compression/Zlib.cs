using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Core.Compression;

/// <summary>zlib's result of a step.</summary>
internal enum ZlibStatus
{
    /// <summary>More steps can follow.</summary>
    Ok = 0,

    /// <summary>The data is complete.</summary>
    End = 1,

    /// <summary>The data requires a preset dictionary, which is not supported.</summary>
    NeedsDictionary = 2,

    /// <summary>The data is invalid.</summary>
    DataError = -3,

    /// <summary>No progress: more input or more output space is needed.</summary>
    Stuck = -5,
}

/// <summary>
/// A zlib stream, from the native library that System.IO.Compression uses. That namespace's own classes don't distinguish data that was cut
/// off from data that has ended, nor report what follows the end; the Compression standard makes an error of both.
/// </summary>
internal sealed unsafe class Zlib : IDisposable
{
    private const int Deflated = 8;
    private const int DefaultLevel = -1;
    private const int MemoryLevel = 8;
    private const int FlushNone = 0;
    private const int FlushFinish = 4;

    private static readonly Functions Library = new();

    private readonly bool compresses;
    private State* state;

    /// <param name="format"><c>gzip</c>, <c>deflate</c> (RFC 1950) or <c>deflate-raw</c> (RFC 1951).</param>
    /// <param name="compresses">Whether it compresses or decompresses.</param>
    public Zlib(string format, bool compresses)
    {
        this.compresses = compresses;
        var windowBits = format switch
        {
            "gzip" => 31,
            "deflate" => 15,
            "deflate-raw" => -15,
            _ => throw new FormatException(format),
        };
        state = (State*)NativeMemory.AllocZeroed((nuint)sizeof(State));
        var status = compresses
            ? Library.DeflateInit(state, DefaultLevel, Deflated, windowBits, MemoryLevel, 0)
            : Library.InflateInit(state, windowBits);
        if (status == (int)ZlibStatus.Ok)
            return;
        NativeMemory.Free(state);
        state = null;
        throw new InvalidDataException("zlib has no memory for another stream.");
    }

    ~Zlib() => Free();

    /// <summary>Consumes input and produces output, as far as both suffice.</summary>
    /// <param name="input">The input.</param>
    /// <param name="output">The buffer for the output.</param>
    /// <param name="isLast">Whether this is the last input.</param>
    public (int Consumed, int Produced, ZlibStatus Status) Step(ReadOnlySpan<byte> input, Span<byte> output, bool isLast)
    {
        ObjectDisposedException.ThrowIf(state is null, this);
        fixed (
            byte* from = input,
                to = output
        )
        {
            byte none = 0;
            state->NextIn = from is null ? &none : from;
            state->NextOut = to;
            (state->AvailIn, state->AvailOut) = ((uint)input.Length, (uint)output.Length);
            var flush = isLast && compresses ? FlushFinish : FlushNone;
            var status = compresses ? Library.Deflate(state, flush) : Library.Inflate(state, flush);
            return (input.Length - (int)state->AvailIn, output.Length - (int)state->AvailOut, (ZlibStatus)status);
        }
    }

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (state is null)
            return;
        _ = compresses ? Library.DeflateEnd(state) : Library.InflateEnd(state);
        NativeMemory.Free(state);
        state = null;
    }

    /// <summary>PAL_ZStream of the .NET runtime's pal_zlib.h, on 64-bit machines.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 40)]
    private struct State
    {
        [FieldOffset(0)]
        public byte* NextIn;

        [FieldOffset(8)]
        public byte* NextOut;

        // The message and zlib's own state are at offsets 16 and 24.
        [FieldOffset(32)]
        public uint AvailIn;

        [FieldOffset(36)]
        public uint AvailOut;
    }

    private sealed class Functions
    {
        public readonly delegate* unmanaged<State*, int, int> InflateInit;
        public readonly delegate* unmanaged<State*, int, int> Inflate;
        public readonly delegate* unmanaged<State*, int> InflateEnd;
        public readonly delegate* unmanaged<State*, int, int, int, int, int, int> DeflateInit;
        public readonly delegate* unmanaged<State*, int, int> Deflate;
        public readonly delegate* unmanaged<State*, int> DeflateEnd;

        public Functions()
        {
            var library = NativeLibrary.Load("libSystem.IO.Compression.Native", typeof(DeflateStream).Assembly, null);
            InflateInit = (delegate* unmanaged<State*, int, int>)NativeLibrary.GetExport(library, "CompressionNative_InflateInit2_");
            Inflate = (delegate* unmanaged<State*, int, int>)NativeLibrary.GetExport(library, "CompressionNative_Inflate");
            InflateEnd = (delegate* unmanaged<State*, int>)NativeLibrary.GetExport(library, "CompressionNative_InflateEnd");
            DeflateInit = (delegate* unmanaged<State*, int, int, int, int, int, int>)
                NativeLibrary.GetExport(library, "CompressionNative_DeflateInit2_");
            Deflate = (delegate* unmanaged<State*, int, int>)NativeLibrary.GetExport(library, "CompressionNative_Deflate");
            DeflateEnd = (delegate* unmanaged<State*, int>)NativeLibrary.GetExport(library, "CompressionNative_DeflateEnd");
        }
    }
}
