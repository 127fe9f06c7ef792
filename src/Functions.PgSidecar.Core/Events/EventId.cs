using System.Buffers.Binary;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// The id of a row change's event: a UUID of version 8 (RFC 9562) made of the position of the commit (60 bits), the change's ordinal in its
/// transaction (38 bits) and the trigger (24 bits). The same change always gets the same id, and ids sort in commit order.
/// </summary>
internal static class EventId
{
    public static Guid Create(ulong commitLsn, long ordinal, int trigger)
    {
        Span<byte> bytes = stackalloc byte[16];
        // 48 bits, the version, 12 bits.
        BinaryPrimitives.WriteUInt64BigEndian(bytes, (commitLsn >> 12 << 16) | 0x8000 | (commitLsn & 0xfff));
        // The variant, 38 bits, 24 bits.
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (0b10ul << 62) | ((ulong)ordinal << 24) | ((uint)trigger & 0xff_ffff));
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>The commit position in an id.</summary>
    public static ulong CommitLsn(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var first = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        return (first >> 16 << 12) | (first & 0xfff);
    }
}
