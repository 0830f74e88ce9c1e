using BlockRepl.Platform.Fencing;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Devices;

/// <summary>Carries a procedure's steps out on a real device.</summary>
internal sealed class ProcedureRunner(ISectorDevice device, TimeSpan ioTimeout, Action<TimeSpan> wait)
{
    public Exchange Exchange { get; } = new(device.SectorSize);

    public ISectorDevice Device => device;

    public void Run(IEnumerable<DeviceStep> procedure)
    {
        foreach (var step in procedure)
        {
            Exchange.StartedNs = BootClock.NowNs;
            Exchange.Error = step.Kind switch
            {
                StepKind.Read => device.Read(step.Sector, Exchange.Sector, ioTimeout),
                StepKind.ReadSlots => ReadSlots(step),
                StepKind.Write => device.Write(step.Sector, Exchange.Sector, ioTimeout),
                _ => Wait(step.Time),
            };
            Exchange.EndedNs = BootClock.NowNs;
        }
    }

    private SectorError ReadSlots(DeviceStep step)
    {
        var into = Exchange.Slots.AsSpan(0, step.Count * device.SectorSize);
        var error = device.ReadEach(step.Sector, SlotLayout.SlotStride, into, ioTimeout, out var count);
        Exchange.SlotsRead = count;
        return error;
    }

    private SectorError Wait(TimeSpan time)
    {
        wait(time);
        return SectorError.None;
    }
}
