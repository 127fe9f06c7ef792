using System.Text;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// A call of a component to its host: its arguments and its result. A component declares the types of its imports itself, so every argument
/// may have another type than the interface says; reading one as another type ends the guest.
/// </summary>
internal readonly unsafe ref struct ComponentCall(
    ComponentInstance instance,
    ReadOnlySpan<ComponentValue> arguments,
    Span<ComponentValue> results
)
{
    private readonly ReadOnlySpan<ComponentValue> arguments = arguments;
    private readonly Span<ComponentValue> results = results;

    /// <summary>The component that calls.</summary>
    public ComponentInstance Instance => instance;

    /// <summary>Sets the result of the function.</summary>
    public void Return(in ComponentValue value)
    {
        if (results.Length != 1)
            throw WrongType();
        results[0] = value;
    }

    /// <summary>An argument of a kind.</summary>
    public ref readonly ComponentValue Argument(int index, ComponentKind kind)
    {
        if (index >= arguments.Length)
            throw WrongType();
        Require(arguments[index], kind);
        return ref arguments[index];
    }

    public ulong U64(int index) => Argument(index, ComponentKind.U64).U64;

    public ushort U16(int index) => Argument(index, ComponentKind.U16).U16;

    public string Text(int index) => TextOf(Argument(index, ComponentKind.Text));

    /// <summary>The items of a list. Don't keep them.</summary>
    public ReadOnlySpan<ComponentValue> List(int index) => ItemsOf(Argument(index, ComponentKind.List));

    public byte[] Bytes(int index) => BytesOf(Argument(index, ComponentKind.List));

    /// <summary>The number of a resource of the host, and gives up the guest's borrow or ownership of it.</summary>
    public uint Resource(int index) => ResourceOf(Argument(index, ComponentKind.Resource));

    /// <inheritdoc cref="Resource(int)"/>
    public uint ResourceOf(in ComponentValue value)
    {
        Require(value, ComponentKind.Resource);
        if (
            ComponentNative.wasmtime_component_resource_any_to_host(instance.NativeContext, value.Resource, out var host)
            is not 0
                and var error
        )
            throw new GuestException(new GuestError("Error", Native.TakeError(error), Code: "ABI"));
        var number = ComponentNative.wasmtime_component_resource_host_rep(host);
        ComponentNative.wasmtime_component_resource_host_delete(host);
        return number;
    }

    /// <summary>A value that gives the guest ownership of a resource of the host.</summary>
    /// <param name="number">The resource.</param>
    /// <param name="type">The number of its type.</param>
    public ComponentValue Own(uint number, uint type) => instance.Own(number, type);

    /// <summary>Checks the kind of a value.</summary>
    public static void Require(in ComponentValue value, ComponentKind kind)
    {
        if (value.Kind != kind)
            throw WrongType();
    }

    public static string TextOf(in ComponentValue value)
    {
        Require(value, ComponentKind.Text);
        return NameOf(value);
    }

    /// <summary>The text of a text, or the case of a variant or an enumeration.</summary>
    public static string NameOf(in ComponentValue value) =>
        value.Kind is ComponentKind.Text or ComponentKind.Variant or ComponentKind.Enum
            ? Encoding.UTF8.GetString(new ReadOnlySpan<byte>((void*)value.Name.Data, checked((int)value.Name.Size)))
            : throw WrongType();

    public static ReadOnlySpan<ComponentValue> ItemsOf(in ComponentValue value) =>
        value.Kind is ComponentKind.List or ComponentKind.Tuple
            ? new ReadOnlySpan<ComponentValue>((void*)value.Items.Data, checked((int)value.Items.Size))
            : throw WrongType();

    public static byte[] BytesOf(in ComponentValue value)
    {
        Require(value, ComponentKind.List);
        var items = ItemsOf(value);
        var bytes = new byte[items.Length];
        for (var index = 0; index < items.Length; index++)
        {
            Require(items[index], ComponentKind.U8);
            bytes[index] = items[index].U8;
        }
        return bytes;
    }

    /// <summary>The value of an option, a variant's case or a result; <see langword="null"/> for none.</summary>
    public static ComponentValue? Inner(in ComponentValue value)
    {
        var pointer = value.Kind switch
        {
            ComponentKind.Option => value.Option,
            ComponentKind.Variant => value.CaseValue,
            ComponentKind.Result => value.ResultValue,
            _ => throw WrongType(),
        };
        return pointer == 0 ? null : *(ComponentValue*)pointer;
    }

    /// <summary>The error for an import that the component declares with another type.</summary>
    public static GuestException WrongType() =>
        new(new GuestError("TypeError", "The component declares another type for an import than its interface has.", Code: "ABI"));
}
