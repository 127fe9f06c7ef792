namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Writes models as Workers AI lists them.</summary>
internal static class AiModelsWire
{
    /// <summary>Writes <c>{models: [{id, name, source, ...}]}</c>.</summary>
    public static ReadOnlyMemory<byte> Write(IReadOnlyList<AiModel> models) => WireWriter.Write(models, static (writer, models) =>
        {
            writer.WriteStartArray("models"u8);
            foreach (var model in models)
            {
                writer.WriteStartObject();
                writer.WriteString("id"u8, model.Name);
                writer.WriteString("name"u8, model.Name);
                writer.WriteString("provider"u8, model.Provider);
                writer.WriteBoolean("isPattern"u8, model.IsPattern);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        });
}
