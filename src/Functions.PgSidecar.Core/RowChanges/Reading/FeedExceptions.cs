namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>Another sidecar reads from the slot.</summary>
internal sealed class SlotInUseException() : Exception("Another reader uses the replication slot.");

/// <summary>A publication did not exist when a change was made that is still to be read.</summary>
/// <param name="message">The server's message.</param>
internal sealed class PublicationMissingException(string message) : Exception(message);
