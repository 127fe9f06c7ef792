using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>Another sidecar reads from the slot.</summary>
internal sealed class SlotInUseException() : Exception("Another reader uses the replication slot.");

/// <summary>A publication did not exist when a change was made that is still to be read.</summary>
/// <param name="message">The server's message.</param>
/// <param name="since">A position before which no change is missing; null where the server has refused to go on there.</param>
internal sealed class PublicationMissingException(string message, NpgsqlLogSequenceNumber? since = null) : Exception(message)
{
    /// <summary>A position before which no change is missing; null where the server has refused to go on there.</summary>
    public NpgsqlLogSequenceNumber? Since => since;
}
