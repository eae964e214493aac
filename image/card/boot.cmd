# Chooses the slot and starts it. U-Boot runs this (as boot.scr), on a Raspberry Pi and on
# QEMU's `virt` alike. image/DESIGN.md says why it is done here; src/update/state.rs writes the
# same two files.
#
# slots-0.env and slots-1.env are one environment block with a checksum each, twice the same:
#   slot  a or b: the confirmed one
#   try   a or b: an update that has not confirmed itself yet; none
#   left  how often it is still tried
# The first whole copy counts. Nothing is written unless something is tried.

setenv card ${devtype} ${devnum}
setenv base 0
if test "${board}" = "qemu-arm"; then setenv base 0x40000000; fi
# 448 MB are there on the smallest board; QEMU leaves its device tree at 128 MB.
setexpr block ${base} + 0x03000000
setexpr kernel ${base} + 0x04000000
setexpr packed ${base} + 0x0a000000
setexpr initrd ${base} + 0x0e000000

setenv slot
setenv try
setenv left
setenv known no
for copy in 0 1; do
    if test "${known}" = no; then
        if load ${card}:1 ${block} slots-${copy}.env; then
            if env import -c ${block} 0x200 slot try left; then setenv known yes; fi
        fi
    fi
done
if test "${slot}" != b; then setenv slot a; fi

setenv first ${slot}
setenv tried no
if test "${try}" = a || test "${try}" = b; then
    if test "${left}" = 1 || test "${left}" = 2 || test "${left}" = 3; then
        # Counted before it is started: what hangs, panics or loses power has had its try. Where
        # the count cannot be kept nothing is tried, or it would be tried for ever.
        setexpr left ${left} - 1
        env export -c -s 0x200 ${block} left slot try
        if fatwrite ${card}:1 ${block} slots-0.env 0x200; then
            fatwrite ${card}:1 ${block} slots-1.env 0x200
            setenv first ${try}
            setenv tried yes
            echo "Hindsight: trying slot ${try}, ${left} more"
        fi
    fi
fi
setenv second a
if test "${first}" = a; then setenv second b; fi

setenv extra
if test -e ${card}:1 boot-extra.txt; then
    load ${card}:1 ${block} boot-extra.txt
    env import -t ${block} ${filesize} extra
fi
setenv consoles console=ttyS1,115200 console=ttyAMA10,115200 console=tty0
if test "${board}" = "qemu-arm"; then setenv consoles console=ttyAMA0; fi

for pick in ${first} ${second}; do
    setenv part 2
    if test "${pick}" = b; then setenv part 3; fi
    if test "${pick}" != "${first}"; then setenv tried no; fi
    setenv bootargs root=PARTUUID=48494e44-0${part} ro hindsight.slot=${pick} hindsight.tried=${tried} panic=10 quiet loglevel=3 pinctrl_bcm2835.persist_gpio_outputs=1 ${consoles} ${extra}
    echo "Hindsight: slot ${pick}"
    if load ${card}:${part} ${packed} /boot/Image.gz && unzip ${packed} ${kernel} 0x05000000; then
        if load ${card}:${part} ${initrd} /boot/initrd.img; then
            booti ${kernel} ${initrd}:${filesize} ${fdt_addr}
        fi
    fi
    echo "Hindsight: slot ${pick} cannot be started"
done
echo "Hindsight: neither slot can be started; write the card anew"
sleep 10
reset
