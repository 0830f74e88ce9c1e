using BlockRepl.Platform.Native;
using Xunit;

namespace BlockRepl.Platform.Tests;

public sealed class AbiTests
{
    [Fact]
    public void Native_library_has_the_interface_version_we_were_written_for() =>
        Assert.Equal(NativeMethods.AbiVersion, NativeMethods.GetAbiVersion());

    [Fact]
    public void Sizes_and_offsets_of_shared_structures_agree_with_the_library()
    {
        var layouts = AbiCheck.Layouts();
        for (var i = 0; i < layouts.Length; i++)
        {
            Assert.Equal(NativeMethods.GetStructSize((uint)i), layouts[i].Size);
            Assert.Equal(NativeMethods.GetStructLastOffset((uint)i), layouts[i].LastOffset);
        }

        Assert.Equal(0u, NativeMethods.GetStructSize((uint)layouts.Length));
    }
}
